"""Serializers of `/internal/credits/...`."""

from __future__ import annotations

import re
from typing import Any

from rest_framework import serializers

from api.serializers import StrictSerializer
from credits.models import CreditEntry
from credits.pricing import format_credits, parse_credits
from credits.serializers import CreditEntrySerializer
from credits.services import LedgerMovement

# Separates callers' references from internal ones, or a caller could settle the reservation of a render.
INTERNAL_REFERENCE_PREFIX = "internal:"
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,2})?")


class AmountField(serializers.Field[Any, Any, Any, Any]):
    """A positive amount: a decimal string in JSON, hundredths in Python. Numbers are refused, as floats are inexact."""

    def to_internal_value(self, data: Any) -> int:
        """Return the amount in hundredths."""
        if not isinstance(data, str) or not _AMOUNT.fullmatch(data):
            detail = 'An amount must be a string such as "2.50", with at most two decimal places.'
            raise serializers.ValidationError(detail, code="invalid_amount")
        hundredths = parse_credits(data)
        if hundredths == 0:
            raise serializers.ValidationError("An amount must be more than 0.", code="out_of_range")
        return hundredths

    def to_representation(self, value: Any) -> str:
        """Return hundredths as a decimal string."""
        return format_credits(value)


class ReferenceField(serializers.RegexField):
    """The caller's reference of a movement, unique among the references of all callers."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(r"^[!-~]{1,180}\Z", trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Return the reference with the prefix that it has in the ledger."""
        return f"{INTERNAL_REFERENCE_PREFIX}{super().to_internal_value(data)}"


class CreditCheckSerializer(StrictSerializer):
    """Body of `POST /internal/credits/check`."""

    user = serializers.CharField(max_length=150)
    amount = AmountField()


class CreditMovementSerializer(CreditCheckSerializer):
    """Body of `POST /internal/credits/deduct` and `/grant`."""

    reference = ReferenceField()
    note = serializers.CharField(max_length=200, required=False, allow_blank=True)


class CreditRefundSerializer(CreditMovementSerializer):
    """Body of `POST /internal/credits/refund`; without an amount, all that remains of the deduction."""

    deduction = ReferenceField()
    amount = AmountField(required=False)


def describe_movement(movement: LedgerMovement) -> dict[str, Any]:
    """Return the response to a movement: its entry, with references as the caller gave them."""
    entry: CreditEntry = movement.entry
    deduction = entry.deduction.reference if entry.deduction is not None else None
    return {
        **CreditEntrySerializer(entry).data,
        "user": entry.user.public_id,
        "reference": entry.reference.removeprefix(INTERNAL_REFERENCE_PREFIX),
        "deduction": deduction and deduction.removeprefix(INTERNAL_REFERENCE_PREFIX),
    }
