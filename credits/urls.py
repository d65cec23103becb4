"""Paths of the API."""

from api.routing import Route
from credits.internal_views import CheckView, DeductView, GrantView, RefundView
from credits.views import BalanceView, EntryViewSet

api_routes: list[Route] = [
    Route("credits/balance", BalanceView, "credit-balance"),
    Route("credits/entries", EntryViewSet, "credit-entry-list", {"get": "list"}),
]

internal_routes: list[Route] = [
    Route("credits/check", CheckView, "internal-credit-check"),
    Route("credits/deduct", DeductView, "internal-credit-deduct"),
    Route("credits/grant", GrantView, "internal-credit-grant"),
    Route("credits/refund", RefundView, "internal-credit-refund"),
]
