"""Routes of accounts."""

from accounts.views import KeyViewSet, MeView, TokenRefreshView, TokenRevokeView, TokenView
from api.routing import Route

api_routes: list[Route] = [
    Route("me", MeView, "me"),
    Route("keys", KeyViewSet, "key-list", {"get": "list", "post": "create"}),
    Route("keys/<id>", KeyViewSet, "key-detail", {"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
    Route("keys/<id>/rotate", KeyViewSet, "key-rotate", {"post": "rotate"}),
    Route("auth/token", TokenView, "auth-token"),
    Route("auth/token/refresh", TokenRefreshView, "auth-token-refresh"),
    Route("auth/token/revoke", TokenRevokeView, "auth-token-revoke"),
]
