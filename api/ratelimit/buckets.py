"""Token buckets, as pure functions of time.

A bucket is one number: the time at which it will be full again. Each unit taken moves that time one step into the
future; the bucket is empty when the time is its whole depth ahead. Nothing has to be refilled, an unused bucket needs
no row, and integer microseconds make every store count alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class RateLimitPolicy:
    """`quota` units per window. burst: how many may be taken at once, by default the whole quota.

    step_us: the time in which one unit is restored, rounded up, so that no window gives more than the quota; depth_us:
    the time in which an empty bucket becomes full.
    """

    name: str
    quota: int
    window_s: int
    burst: int = 0
    step_us: int = field(init=False, compare=False)
    depth_us: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        step_us = -(-self.window_s * SECOND_US // self.quota)
        object.__setattr__(self, "step_us", step_us)
        object.__setattr__(self, "depth_us", (self.burst or self.quota) * step_us)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A policy applied to one caller. partition: names the bucket, e.g. `key:0193...`; unique over all policies.

    units: how many the request takes, all or none of them.
    """

    policy: RateLimitPolicy
    partition: str
    units: int = 1

    @property
    def step_us(self) -> int:
        """Return how far the request moves the bucket's time into the future."""
        return self.units * self.policy.step_us


@dataclass(frozen=True, slots=True)
class LimitStatus:
    """State of a bucket. remaining: whole units; wait_s: whole seconds until it is full or, if empty, has a unit."""

    policy: RateLimitPolicy
    remaining: int
    wait_s: int


@dataclass(frozen=True, slots=True)
class RateLimitDecision:
    """Outcome of a request. limit_statuses: after it, the tightest first; a refusal is due to that one."""

    allowed: bool
    limit_statuses: tuple[LimitStatus, ...]


def clamp(policy: RateLimitPolicy, full_at_us: int | None, now_us: int) -> int:
    """Return a stored time, at least now (a full bucket) and at most the depth ahead (an empty one).

    The maximum matters when the clock was set back, or when the quota was reduced.
    """
    return min(max(full_at_us or 0, now_us), now_us + policy.depth_us)


def take(policy: RateLimitPolicy, full_at_us: int | None, now_us: int) -> int | None:
    """Return the bucket's time after taking one unit, None if it is empty."""
    moved = clamp(policy, full_at_us, now_us) + policy.step_us
    return moved if moved <= now_us + policy.depth_us else None


def bucket_status(policy: RateLimitPolicy, full_at_us: int | None, now_us: int) -> LimitStatus:
    """Return the state of a bucket."""
    debt_us = clamp(policy, full_at_us, now_us) - now_us
    remaining = (policy.depth_us - debt_us) // policy.step_us
    wait_us = debt_us if remaining else debt_us + policy.step_us - policy.depth_us
    return LimitStatus(policy, remaining, -(-wait_us // SECOND_US))


def decide(
    allowed: bool, limits: Sequence[RateLimit], full_at_us: Sequence[int | None], now_us: int
) -> RateLimitDecision:
    """Return the decision with the state of the buckets. full_at_us: one for each limit, None for an unused bucket."""
    found = [bucket_status(limit.policy, moment, now_us) for limit, moment in zip(limits, full_at_us, strict=True)]
    # Among empty buckets the longest wait comes first: after it all of them have a unit.
    found.sort(key=lambda limit_status: (limit_status.remaining, -limit_status.wait_s))
    return RateLimitDecision(allowed, tuple(found))
