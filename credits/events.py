"""Events that credits publishes, in the transaction that moved the credits."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class CreditsLow:
    """A balance fell below the threshold. Amounts in hundredths."""

    user_id: UUID
    balance: int
    threshold: int


@dataclass(frozen=True, slots=True)
class CreditsMoved:
    """A balance changed other than by a render: a grant, deduction, refund or adjustment. amount: signed hundredths."""

    user_id: UUID
    entry_id: UUID
    kind: str
    amount: int
