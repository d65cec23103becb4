"""Serializers of `/internal/credits/...`: what services of the operator's say, and what they are told."""

from __future__ import annotations

import re
from typing import Any

from rest_framework import serializers

from api.serializers import StrictSerializer
from credits.models import CreditEntry
from credits.pricing import format_credits, parse_credits
from credits.serializers import CreditEntrySerializer
from credits.services import LedgerMovement

# What callers name is kept apart from what this installation names, or a caller could close somebody's reservation.
INTERNAL_REFERENCE_PREFIX = "internal:"
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,2})?")


class AmountField(serializers.Field[Any, Any, Any, Any]):
    """More than nothing: a decimal string outside, hundredths inside. Numbers are refused, as 0.1 is none of theirs."""

    def to_internal_value(self, data: Any) -> int:
        """Return the hundredths."""
        if not isinstance(data, str) or not _AMOUNT.fullmatch(data):
            detail = 'An amount is a string such as "2.50", with at most two decimal places.'
            raise serializers.ValidationError(detail, code="invalid_amount")
        hundredths = parse_credits(data)
        if hundredths == 0:
            raise serializers.ValidationError("An amount is more than 0.", code="out_of_range")
        return hundredths

    def to_representation(self, value: Any) -> str:
        """Return the amount as text."""
        return format_credits(value)


class ReferenceField(serializers.RegexField):
    """The caller's own name for a movement, unique among all that callers ever named."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(r"^[!-~]{1,180}\Z", trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Return the reference as the ledger has it."""
        return f"{INTERNAL_REFERENCE_PREFIX}{super().to_internal_value(data)}"


class CreditCheckSerializer(StrictSerializer):
    """Can this account pay so much?"""

    user = serializers.CharField(max_length=150)
    amount = AmountField()


class CreditMovementSerializer(CreditCheckSerializer):
    """Move so much."""

    reference = ReferenceField()
    note = serializers.CharField(max_length=200, required=False, allow_blank=True)


class CreditRefundSerializer(CreditMovementSerializer):
    """Give back so much of a deduction; all that is left where no amount is given."""

    deduction = ReferenceField()
    amount = AmountField(required=False)


def describe_movement(movement: LedgerMovement) -> dict[str, Any]:
    """Return the answer to a movement: its entry, in the caller's own words."""
    entry: CreditEntry = movement.entry
    shown = dict(CreditEntrySerializer(entry).data)
    deduction = entry.deduction.reference if entry.deduction is not None else None
    return {
        **shown,
        "user": entry.user.public_id,
        "reference": entry.reference.removeprefix(INTERNAL_REFERENCE_PREFIX),
        "deduction": deduction and deduction.removeprefix(INTERNAL_REFERENCE_PREFIX),
    }
