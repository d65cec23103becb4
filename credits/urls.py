"""Paths of the API."""

from core.api.routing import Route
from credits.views import BalanceView, EntryViewSet

api_routes: list[Route] = [
    Route("credits/balance", BalanceView, "credit-balance"),
    Route("credits/entries", EntryViewSet, "credit-entry-list", {"get": "list"}),
]
