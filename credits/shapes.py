"""Movements of balances in lists: what the serializer writes for an instance, for the values of its columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from core.api.prepared import PreparedList, one_of
from core.api.rawvalues import Values
from credits.models import CreditEntry, EntryKind
from credits.pricing import format_credits

COLUMNS = ("id", "kind", "amount", "balance_after", "reference", "note", "created_at")


def entry_shaper(base: str, version: int, values: Values) -> Callable[[Sequence[Any]], dict[str, Any]]:
    """Return what shapes the movements of one list. Rows have the values of COLUMNS, which `values` can read."""

    def shape(row: Sequence[Any]) -> dict[str, Any]:
        pk, kind, amount, balance_after, reference, note, created_at = row
        return {
            "id": values.public_id(CreditEntry.ID_PREFIX, pk),
            "object": "credit_entry",
            "kind": kind,
            "amount": format_credits(amount),
            "balance_after": format_credits(balance_after),
            "reference": reference,
            "note": note,
            "created_at": values.time(created_at),
        }

    return shape


ENTRY_LIST = PreparedList(
    CreditEntry, COLUMNS, entry_shaper, filters={"kind": one_of("kind", EntryKind.values)}, owner="user_id"
)
