"""Refusals of this app.

DomainError
├── InsufficientCredits    402  with `required` and `balance`
├── NoReservation          404  nothing was reserved under the reference
└── InvalidState           409
    ├── ReservationClosed  settled already, or refunded already
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


class ReservationClosed(InvalidState):
    """The reservation was already settled or refunded."""


class ReferenceReused(InvalidState):
    """The reference already names another movement."""
