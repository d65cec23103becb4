"""Refusals of this app.

DomainError
├── InsufficientCredits    402  with `required` and `balance`
├── NotFound               404
│   ├── NoReservation      nothing was reserved under the reference
│   ├── NoDeduction        nothing was deducted under the reference
│   └── NoSuchAccount      no user has this id or name
└── InvalidState           409
    ├── ReservationClosed  settled already, or refunded already
    ├── RefundTooLarge     more than is left of the deduction
    └── ReferenceReused    the reference names another movement
"""

from __future__ import annotations

from core.exceptions import DomainError, InvalidState, NotFound
from credits.pricing import format_credits


class InsufficientCredits(DomainError):
    """The balance does not cover this."""

    code = "insufficient_credits"
    status = 402

    def __init__(self, *, required: int, balance: int) -> None:
        """required, balance: hundredths of a credit."""
        super().__init__(required=format_credits(required), balance=format_credits(balance))


class NoReservation(NotFound):
    """Nothing was reserved under this reference."""


class NoDeduction(NotFound):
    """Nothing was deducted from this account under this reference."""


class NoSuchAccount(NotFound):
    """There is no account with this id or name."""


class RefundTooLarge(InvalidState):
    """The refund is more than is left of the deduction."""

    def __init__(self, *, deducted: int, refunded: int) -> None:
        """deducted, refunded: hundredths of a credit, by now."""
        super().__init__(deducted=format_credits(deducted), refunded=format_credits(refunded))


class ReservationClosed(InvalidState):
    """The reservation was already settled or refunded."""


class ReferenceReused(InvalidState):
    """The reference already names another movement."""
