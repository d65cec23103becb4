"""What this app publishes. Subscribers run in the transaction that moved the credits."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class CreditsLow:
    """A balance has just fallen below the threshold; once for each time it does. All in hundredths."""

    user_id: UUID
    balance: int
    threshold: int


@dataclass(frozen=True, slots=True)
class CreditsMoved:
    """A balance moved for another reason than a render: a gift, a purchase, a deduction by a service, a correction.

    kind: of the entry. amount: signed hundredths.
    """

    user_id: UUID
    entry_id: UUID
    kind: str
    amount: int
