"""Paths of the API."""

from core.api.routing import Route
from renders.views.library import ProjectViewSet, TemplateVersionViewSet, TemplateViewSet
from renders.views.renders import CreditEstimateView, RenderViewSet

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
    Route("credits/estimate", CreditEstimateView, "credit-estimate"),
]
