"""State of an account's ledger after a race."""

from __future__ import annotations

from collections import Counter
from typing import Any


def ledger_state(user: Any) -> dict[str, Any]:
    from credits.models import CreditEntry
    from credits.selectors import balance_of, check_ledger

    balance = balance_of(user.pk)
    assert balance is not None
    kinds = CreditEntry.objects.filter(user=user).values_list("kind", flat=True)
    return {
        "balance": balance.available,
        "reserved": balance.reserved,
        "faults": len(list(check_ledger())),
        "kinds": dict(Counter(kinds)),
    }
