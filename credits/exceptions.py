"""Errors of credits.

DomainError
├── InsufficientCredits    402  with `required` and `balance`
├── NotFound               404
│   ├── NoReservation      no reservation has the reference
│   ├── NoDeduction        no deduction has the reference
│   └── NoSuchAccount      no user has the id or username
└── InvalidState           409
    ├── ReservationClosed  already settled or refunded
    ├── RefundTooLarge     more than remains of the deduction
    └── ReferenceReused    the reference belongs to another movement
"""

from __future__ import annotations

from core.exceptions import DomainError, InvalidState, NotFound
from credits.pricing import format_credits


class InsufficientCredits(DomainError):
    """The balance is too low."""

    code = "insufficient_credits"
    status = 402

    def __init__(self, *, required: int, balance: int) -> None:
        """required, balance: hundredths of a credit."""
        super().__init__(required=format_credits(required), balance=format_credits(balance))


class NoReservation(NotFound):
    """There is no reservation with this reference."""


class NoDeduction(NotFound):
    """There is no deduction from this account with this reference."""


class NoSuchAccount(NotFound):
    """There is no account with this id or username."""


class RefundTooLarge(InvalidState):
    """The refund is more than remains of the deduction."""

    def __init__(self, *, deducted: int, refunded: int) -> None:
        """deducted, refunded: hundredths of a credit, so far."""
        super().__init__(deducted=format_credits(deducted), refunded=format_credits(refunded))


class ReservationClosed(InvalidState):
    """The reservation was already settled or refunded."""


class ReferenceReused(InvalidState):
    """The reference already belongs to another movement."""
