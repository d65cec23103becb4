"""Routes of `/internal/jobs`, for staff."""

from api.routing import Route
from jobs.views import JobViewSet

internal_routes: list[Route] = [
    Route("jobs", JobViewSet, "internal-job-list", {"get": "list"}),
    Route("jobs/<id>", JobViewSet, "internal-job-detail", {"get": "retrieve"}),
    Route("jobs/<id>/retry", JobViewSet, "internal-job-retry", {"post": "retry"}),
    Route("jobs/<id>/cancel", JobViewSet, "internal-job-cancel", {"post": "cancel"}),
]
