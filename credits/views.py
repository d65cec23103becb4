"""Views of the balance and the ledger, both read-only."""

from __future__ import annotations

from typing import ClassVar

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from api.endpoints import Endpoint
from api.views import ApiView, ApiViewSet
from credits import selectors, services
from credits.filters import CreditEntryFilterSet
from credits.models import CreditEntry
from credits.serializers import BalanceSerializer, CreditEntrySerializer


class CreditBalanceView(ApiView):
    """The caller's balance."""

    endpoints: ClassVar = {"get": Endpoint("credits:read", cache_tags=("credits",))}

    @extend_schema(operation_id="credits_balance_retrieve", responses=BalanceSerializer, tags=["credits"])
    def get(self, request: Request) -> Response:
        """Return the available and the reserved credits."""
        assert isinstance(request.user, User)
        balance = selectors.balance_of(request.user.pk)
        if balance is None:
            # The user was created without an event, as `createsuperuser` does.
            services.open_account(user_id=request.user.pk)
            balance = selectors.balance_of(request.user.pk)
        return Response(BalanceSerializer(balance).data)


@extend_schema_view(list=extend_schema(tags=["credits"]))
class CreditEntryViewSet(ListModelMixin, ApiViewSet):
    """Entries of the caller's ledger."""

    queryset = CreditEntry.objects.all()
    endpoints: ClassVar = {"list": Endpoint("credits:read", cache_tags=("credits",))}
    serializers: ClassVar = {"default": CreditEntrySerializer}
    filterset_class = CreditEntryFilterSet
