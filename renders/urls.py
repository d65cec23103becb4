"""Routes of the API and of external workers."""

from django.urls import URLPattern, path

from api.routing import Route
from renders.views.batches import BatchViewSet
from renders.views.events import RenderEventsViewSet
from renders.views.library import ProjectViewSet, TemplateVersionViewSet, TemplateViewSet
from renders.views.renders import CreditEstimateView, RenderViewSet
from renders.views.workers import WorkerClaimView, WorkerReportView, receive_file

api_routes: list[Route] = [
    Route("projects", ProjectViewSet, "project-list", {"get": "list", "post": "create"}),
    Route(
        "projects/<id>",
        ProjectViewSet,
        "project-detail",
        {"get": "retrieve", "patch": "partial_update", "delete": "destroy"},
    ),
    Route("templates", TemplateViewSet, "template-list", {"get": "list", "post": "create"}),
    Route(
        "templates/<id>",
        TemplateViewSet,
        "template-detail",
        {"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"},
    ),
    Route("templates/<id>/versions", TemplateVersionViewSet, "template-versions", {"get": "list"}),
    Route("templates/<id>/render", TemplateViewSet, "template-render", {"post": "render"}),
    Route("renders", RenderViewSet, "render-list", {"get": "list", "post": "create"}),
    Route("renders/validate", RenderViewSet, "render-validate", {"post": "validate"}),
    Route("renders/<id>", RenderViewSet, "render-detail", {"get": "retrieve", "delete": "destroy"}),
    Route("renders/<id>/cancel", RenderViewSet, "render-cancel", {"post": "cancel"}),
    Route("renders/<id>/retry", RenderViewSet, "render-retry", {"post": "retry"}),
    Route("renders/<id>/edit", RenderViewSet, "render-edit", {"get": "edit"}),
    Route("renders/<id>/log", RenderViewSet, "render-log", {"get": "log"}),
    Route(
        "renders/<id>/events", RenderEventsViewSet, "render-events", {"get": "events"}, since=2, feature="render_events"
    ),
    Route("batches", BatchViewSet, "batch-list", {"get": "list", "post": "create"}, since=2, feature="batches"),
    Route("batches/<id>", BatchViewSet, "batch-detail", {"get": "retrieve"}, since=2, feature="batches"),
    Route("batches/<id>/cancel", BatchViewSet, "batch-cancel", {"post": "cancel"}, since=2, feature="batches"),
    Route("credits/estimate", CreditEstimateView, "credit-estimate"),
]

internal_routes: list[Route] = [Route("workers/claim", WorkerClaimView, "internal-worker-claim")]
webhook_routes: list[Route] = [Route("render-progress", WorkerReportView, "render-progress")]
upload_urls: list[URLPattern] = [path("files/uploads/<str:token>/<str:name>", receive_file, name="file-upload")]
