"""Routes of assets."""

from api.routing import Route
from assets.views import AssetViewSet

api_routes: list[Route] = [
    Route("assets", AssetViewSet, "asset-list", {"get": "list", "post": "create"}),
    Route(
        "assets/<str:id>",
        AssetViewSet,
        "asset-detail",
        {"get": "retrieve", "patch": "partial_update", "delete": "destroy"},
    ),
    Route("assets/<str:id>/references", AssetViewSet, "asset-references", {"get": "references"}),
]
