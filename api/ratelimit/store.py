"""Interface of the rate limit stores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from api.ratelimit.buckets import RateLimit


class LimitStoreUnavailable(Exception):
    """The store cannot be reached, or is broken."""


class LimitStoreBusy(LimitStoreUnavailable):
    """The store is locked by other writers; the next call may succeed."""


@dataclass(frozen=True, slots=True)
class TakeResult:
    """allowed: whether one unit was taken from every bucket, else from none; now_us: by the store's clock;
    full_at_us: the buckets afterwards, in the order of the limits, None for an unused one.
    """

    allowed: bool
    now_us: int
    full_at_us: Sequence[int | None]


@dataclass(frozen=True, slots=True)
class ThrottleState:
    """Failed attempts of a subject. blocked_until_us: refused before; expires_at_us: forgotten afterwards."""

    failures: int
    blocked_until_us: int
    expires_at_us: int


# (state, now_us) -> (state after the attempt, microseconds for which the attempt is refused).
ThrottleRule = Callable[[ThrottleState | None, int], tuple[ThrottleState | None, int]]


class LimitStore(Protocol):
    """Buckets and login throttles of all processes. Every method may raise LimitStoreUnavailable."""

    def take(self, limits: Sequence[RateLimit]) -> TakeResult:
        """Take one unit from all buckets, or from none."""

    def peek(self, limits: Sequence[RateLimit]) -> TakeResult:
        """Return the state of buckets."""

    def record_failure(self, subject: str, rule: ThrottleRule) -> int:
        """Count an attempt before it is made; return for how many microseconds it is refused, 0 if it may proceed."""

    def reset(self, subject: str) -> None:
        """Delete the failed attempts of a subject."""
