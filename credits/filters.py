"""Filters of the ledger."""

from __future__ import annotations

from api.filters import ApiFilterSet, ChoicesFilter
from credits.models import CreditEntry, credit_entry_kind_choices


class CreditEntryFilterSet(ApiFilterSet):
    """Filters of `GET /credits/entries`."""

    kind = ChoicesFilter(choices=credit_entry_kind_choices)

    class Meta:
        model = CreditEntry
        fields: list[str] = []
