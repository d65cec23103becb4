"""Routes of credits."""

from api.routing import Route
from credits.internal_views import CreditCheckView, CreditDeductView, CreditGrantView, CreditRefundView
from credits.views import CreditBalanceView, CreditEntryViewSet

api_routes: list[Route] = [
    Route("credits/balance", CreditBalanceView, "credit-balance"),
    Route("credits/entries", CreditEntryViewSet, "credit-entry-list", {"get": "list"}),
]

internal_routes: list[Route] = [
    Route("credits/check", CreditCheckView, "internal-credit-check"),
    Route("credits/deduct", CreditDeductView, "internal-credit-deduct"),
    Route("credits/grant", CreditGrantView, "internal-credit-grant"),
    Route("credits/refund", CreditRefundView, "internal-credit-refund"),
]
