"""Views of `/internal/credits/...`, for services of the operator such as a shop."""

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
    """Base of the views. The account is in the body, as it is not the caller's."""

    endpoints: ClassVar = {"post": Endpoint("internal:credits", operation=INTERNAL_CALL)}

    def read(self, serializer_class: type[BaseSerializer[Any]]) -> dict[str, Any]:
        """Return the validated body with `user_id` in place of `user`.

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
    """Check whether a balance covers an amount, without reserving it: a deduction may still be refused."""

    def post(self, request: Request) -> Response:
        """Return the balance and whether it is sufficient."""
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
    """Moves credits, once per reference, whatever idempotency keys the requests have."""

    key_is_required: ClassVar = True
    serializer_class: ClassVar[type[BaseSerializer[Any]]] = CreditMovementSerializer
    move: ClassVar[Callable[..., services.LedgerMovement]]

    @idempotent
    def post(self, request: Request) -> Response:
        """Return the entry: 201 if this request created it, 200 if the reference already existed."""
        fields = self.read(self.serializer_class)
        return self.once(lambda: self._answer(type(self).move(actor=request.user, **fields)))

    def _answer(self, movement: services.LedgerMovement) -> Response:
        code = status.HTTP_201_CREATED if movement.is_new else status.HTTP_200_OK
        return Response(describe_movement(movement), status=code)


class CreditDeductView(CreditMovementView):
    """Deduct credits; the balance does not go below zero."""

    move = staticmethod(services.deduct)


class CreditGrantView(CreditMovementView):
    """Grant credits."""

    move = staticmethod(services.grant_once)


class CreditRefundView(CreditMovementView):
    """Refund a deduction, in full or in part."""

    serializer_class = CreditRefundSerializer
    move = staticmethod(services.refund_deduction)
