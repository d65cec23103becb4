"""Shapes of the API: balance and entries."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.api.renderers import format_time
from core.api.serializers import ResourceSerializer, TimeField
from credits.models import CreditEntry, EntryKind
from credits.pricing import format_credits


class CreditsField(serializers.CharField):
    """An amount: hundredths inside, a decimal string outside."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, **kwargs)

    def to_representation(self, value: Any) -> str:
        """Return e.g. `0.20`."""
        return format_credits(value)


class BalanceSerializer(serializers.Serializer[Any]):
    """What the caller can spend, and what renders under way hold."""

    object = serializers.SerializerMethodField()
    balance = CreditsField(source="available")
    reserved = CreditsField()

    def get_object(self, balance: Any) -> str:
        """Return the type name."""
        return "credit_balance"


@extend_schema_field({"type": "string", "enum": EntryKind.values, "x-open-enum": True})
class KindField(serializers.CharField):
    """Why a balance moved; there may be more reasons one day."""


class EntrySerializer(ResourceSerializer):
    """One movement."""

    id = serializers.CharField(read_only=True)
    object = serializers.CharField(read_only=True)
    kind = KindField(read_only=True)
    amount = CreditsField()
    balance_after = CreditsField()
    reference = serializers.CharField(read_only=True)
    note = serializers.CharField(read_only=True)
    created_at = TimeField()

    def to_representation(self, row: CreditEntry) -> dict[str, Any]:
        """Return the body of a movement."""
        return {
            "id": row.public_id,
            "object": "credit_entry",
            "kind": row.kind,
            "amount": format_credits(row.amount),
            "balance_after": format_credits(row.balance_after),
            "reference": row.reference,
            "note": row.note,
            "created_at": format_time(row.created_at),
        }
