"""Serializers of the balance and of ledger entries."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from api.serializers import ResourceSerializer, TimeField
from credits.models import CreditEntry, CreditEntryKind
from credits.pricing import format_credits


class CreditsField(serializers.CharField):
    """An amount: hundredths in Python, a decimal string in JSON."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, **kwargs)

    def to_representation(self, value: Any) -> str:
        """Return a decimal string, e.g. `0.20`."""
        return format_credits(value)


class BalanceSerializer(ResourceSerializer):
    """The caller's available credits, and those reserved for unfinished renders."""

    object = serializers.SerializerMethodField()
    balance = CreditsField(source="available")
    reserved = CreditsField()

    def get_object(self, balance: Any) -> str:
        """Return the type name."""
        return "credit_balance"


@extend_schema_field({"type": "string", "enum": CreditEntryKind.values, "x-open-enum": True})
class CreditEntryKindField(serializers.CharField):
    """Reason of a movement; clients must accept values added later."""


class CreditEntrySerializer(ResourceSerializer, serializers.ModelSerializer[CreditEntry]):
    """A movement of the balance."""

    id = serializers.CharField(source="public_id", read_only=True)
    object = serializers.SerializerMethodField()
    kind = CreditEntryKindField(read_only=True)
    amount = CreditsField()
    balance_after = CreditsField()
    created_at = TimeField()

    class Meta:
        model = CreditEntry
        fields = ["id", "object", "kind", "amount", "balance_after", "reference", "note", "created_at"]
        read_only_fields = fields

    def get_object(self, entry: CreditEntry) -> str:
        """Return the type name."""
        return "credit_entry"
