"""What every store of rate limits can do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from api.ratelimit.buckets import RateLimit


class LimitStoreUnavailable(Exception):
    """The store could not be reached, or is broken; nothing is known of what it counted."""


class LimitStoreBusy(LimitStoreUnavailable):
    """Too many wanted the store at this moment; the next may get in."""


@dataclass(frozen=True, slots=True)
class TakeResult:
    """allowed: whether one unit was taken from every bucket, else from none; now_us: by the store's clock;
    full_at_us: the buckets afterwards, in the order of the limits, None for one that was never used.
    """

    allowed: bool
    now_us: int
    full_at_us: Sequence[int | None]


@dataclass(frozen=True, slots=True)
class ThrottleState:
    """What failed attempts of a subject led to. blocked_until_us: none before; expires_at_us: void from then."""

    failures: int
    blocked_until_us: int
    expires_at_us: int


# Takes the penalty so far and the time; returns the one after an attempt, and for how long the attempt is refused.
ThrottleRule = Callable[[ThrottleState | None, int], tuple[ThrottleState | None, int]]


class LimitStore(Protocol):
    """Keeps buckets and login throttles for all processes. Every method may raise LimitStoreUnavailable."""

    def take(self, limits: Sequence[RateLimit]) -> TakeResult:
        """Take one unit from all buckets, or from none."""

    def peek(self, limits: Sequence[RateLimit]) -> TakeResult:
        """Look at buckets."""

    def record_failure(self, subject: str, rule: ThrottleRule) -> int:
        """Count an attempt that begins; return for how many microseconds it is refused, 0 if it may go on."""

    def reset(self, subject: str) -> None:
        """Forget the failures of a subject."""
