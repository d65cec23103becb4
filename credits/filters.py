"""Filters of lists."""

from __future__ import annotations

from api.filters import ApiFilterSet, ChoicesFilter
from credits.models import CreditEntry, entry_kind_choices


class EntryFilterSet(ApiFilterSet):
    """Filters of `GET /credits/entries`."""

    kind = ChoicesFilter(choices=entry_kind_choices)

    class Meta:
        model = CreditEntry
        fields: list[str] = []
