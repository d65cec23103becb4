"""The token bucket, as a pure function of time.

A bucket is one number: the moment at which it will be full again. Each unit taken moves that moment one step into the
future; the bucket is empty when the moment lies its whole depth ahead. Nothing has to be refilled, an unused bucket
needs no row, and whole microseconds make every store count alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class RateLimitPolicy:
    """`quota` units per window. burst: how many may be taken at once, by default the whole quota.

    step_us: the time in which one unit comes back, rounded up, so that no window gives more than the quota; depth_us:
    how long an empty bucket takes to be full.
    """

    name: str
    quota: int
    window_s: int
    burst: int = 0
    step_us: int = field(init=False, compare=False)
    depth_us: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Work out once what every request asks for."""
        step_us = -(-self.window_s * SECOND_US // self.quota)
        object.__setattr__(self, "step_us", step_us)
        object.__setattr__(self, "depth_us", (self.burst or self.quota) * step_us)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A policy applied to somebody. partition: whose bucket, e.g. `key:0193...`; unique over all policies.

    units: how many the request takes, all or none of them.
    """

    policy: RateLimitPolicy
    partition: str
    units: int = 1

    @property
    def step_us(self) -> int:
        """Return how far the request moves the bucket's moment."""
        return self.units * self.policy.step_us


@dataclass(frozen=True, slots=True)
class LimitStatus:
    """How a bucket stands. remaining: whole units left; wait_s: whole seconds until it is full, or, when nothing is
    left, until one unit is free.
    """

    policy: RateLimitPolicy
    remaining: int
    wait_s: int


@dataclass(frozen=True, slots=True)
class RateLimitDecision:
    """What became of a request. limit_statuses: after it, the tightest first; if refused, that one is why."""

    allowed: bool
    limit_statuses: tuple[LimitStatus, ...]


def clamp(policy: RateLimitPolicy, full_at_us: int | None, now_us: int) -> int:
    """Return a stored moment as it counts now: a full bucket stays full, and none is emptier than empty.

    The second matters when the clock was set back, or when the policy became a smaller one.
    """
    return min(max(full_at_us or 0, now_us), now_us + policy.depth_us)


def take(policy: RateLimitPolicy, full_at_us: int | None, now_us: int) -> int | None:
    """Return the moment after one unit was taken, None where there is none to take."""
    moved = clamp(policy, full_at_us, now_us) + policy.step_us
    return moved if moved <= now_us + policy.depth_us else None


def bucket_status(policy: RateLimitPolicy, full_at_us: int | None, now_us: int) -> LimitStatus:
    """Return how a bucket stands."""
    debt_us = clamp(policy, full_at_us, now_us) - now_us
    remaining = (policy.depth_us - debt_us) // policy.step_us
    wait_us = debt_us if remaining else debt_us + policy.step_us - policy.depth_us
    return LimitStatus(policy, remaining, -(-wait_us // SECOND_US))


def decide(
    allowed: bool, limits: Sequence[RateLimit], full_at_us: Sequence[int | None], now_us: int
) -> RateLimitDecision:
    """Return the decision for buckets in this state. full_at_us: one for each limit, None for an unused bucket."""
    found = [bucket_status(limit.policy, moment, now_us) for limit, moment in zip(limits, full_at_us, strict=True)]
    # Among empty ones the longest wait: after it the next request passes all of them.
    found.sort(key=lambda limit_status: (limit_status.remaining, -limit_status.wait_s))
    return RateLimitDecision(allowed, tuple(found))
