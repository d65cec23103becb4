"""Credits for services of the operator's, such as a shop: `/internal/credits/{check,deduct,grant,refund}`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from accounts.limits import INTERNAL_CALL
from accounts.models import User
from accounts.selectors import find_user
from api.endpoints import Endpoint
from api.idempotency.views import IdempotentMixin, idempotent
from api.views import ApiView
from credits import selectors, services
from credits.exceptions import NoSuchAccount
from credits.internal_serializers import (
    CreditCheckSerializer,
    CreditMovementSerializer,
    CreditRefundSerializer,
    describe_movement,
)
from credits.pricing import format_credits


class InternalCreditView(ApiView):
    """What the four have in common. The account is named in the body, as it is not the caller's."""

    endpoints: ClassVar = {
        "post": Endpoint("internal:credits", operation=INTERNAL_CALL),
    }

    def read(self, serializer_class: type[BaseSerializer[Any]]) -> dict[str, Any]:
        """Return the checked members of the body, its account found.

        Raises ValidationError; NoSuchAccount.
        """
        serializer = serializer_class(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        fields = dict(serializer.validated_data)
        user = find_user(fields.pop("user"))
        if user is None:
            raise NoSuchAccount
        return {"user_id": user.pk, **fields}


class CreditCheckView(InternalCreditView):
    """Tell whether an account covers an amount. Nothing is held: a deduction may still be refused."""

    def post(self, request: Request) -> Response:
        """Return the balance, and whether it is enough."""
        fields = self.read(CreditCheckSerializer)
        services.open_account(user_id=fields["user_id"])
        balance = selectors.balance_of(fields["user_id"])
        assert balance is not None
        return Response(
            {
                "object": "credit_check",
                "user": User(pk=fields["user_id"]).public_id,
                "required": format_credits(fields["amount"]),
                "balance": format_credits(balance.available),
                "sufficient": balance.available >= fields["amount"],
            }
        )


class CreditMovementView(IdempotentMixin, InternalCreditView):
    """Moves credits, once for each reference whatever keys the requests carry."""

    key_is_required: ClassVar = True
    serializer_class: ClassVar[type[BaseSerializer[Any]]] = CreditMovementSerializer
    move: ClassVar[Callable[..., services.LedgerMovement]]

    @idempotent
    def post(self, request: Request) -> Response:
        """Answer 201 with the entry, or 200 where the reference had made it before."""
        fields = self.read(self.serializer_class)
        return self.once(lambda: self._answer(type(self).move(actor=request.user, **fields)))

    def _answer(self, movement: services.LedgerMovement) -> Response:
        code = status.HTTP_201_CREATED if movement.is_new else status.HTTP_200_OK
        return Response(describe_movement(movement), status=code)


class CreditDeductView(CreditMovementView):
    """Take credits, never below zero."""

    move = staticmethod(services.deduct)


class CreditGrantView(CreditMovementView):
    """Give credits."""

    move = staticmethod(services.grant_once)


class CreditRefundView(CreditMovementView):
    """Give back what was deducted, in whole or in parts."""

    serializer_class = CreditRefundSerializer
    move = staticmethod(services.refund_deduction)
