"""Routes of the API, and the URL of signed webhooks."""

from django.urls import URLPattern, path

from api.routing import Route
from automations.views import AutomationRunViewSet, AutomationViewSet
from automations.webhook_secrets import WEBHOOK_PATH
from automations.webhook_view import AutomationWebhookView

api_routes: list[Route] = [
    Route("automations", AutomationViewSet, "automation-list", {"get": "list", "post": "create"}),
    Route(
        "automations/<id>",
        AutomationViewSet,
        "automation-detail",
        {"get": "retrieve", "patch": "partial_update", "delete": "destroy"},
    ),
    Route("automations/<id>/trigger", AutomationViewSet, "automation-trigger", {"post": "trigger"}),
    Route("automations/<id>/rotate-secret", AutomationViewSet, "automation-rotate-secret", {"post": "rotate_secret"}),
    Route("automations/<id>/runs", AutomationRunViewSet, "automation-runs", {"get": "list"}),
]

webhook_urls: list[URLPattern] = [
    path(
        f"{WEBHOOK_PATH.removeprefix('/')}<id>",
        AutomationWebhookView.as_view(route_name="automation-hook"),
        name="automation-hook",
    ),
]
