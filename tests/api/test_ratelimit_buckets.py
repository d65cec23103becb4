"""Token bucket and login throttle, compared with simulations that work differently."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from accounts import login_throttle
from api.ratelimit.buckets import SECOND_US, RateLimit, RateLimitPolicy, bucket_status, decide, take

POLICIES = [
    RateLimitPolicy("key", 100, 60, 30),
    RateLimitPolicy("account", 1000, 60),
    RateLimitPolicy("renders", 30, 3600),
    RateLimitPolicy("address", 30, 60, 10),
    RateLimitPolicy("key", 100_000, 60, 2000),
]


class Bucket:
    """The textbook's bucket, which is refilled with tokens."""

    def __init__(self, policy: RateLimitPolicy) -> None:
        self.rate = Fraction(policy.quota, policy.window_s)
        self.size = policy.burst or policy.quota
        self.tokens = Fraction(self.size)
        self.at = Fraction(0)

    def move(self, now: Fraction) -> None:
        self.tokens = min(self.tokens + (now - self.at) * self.rate, Fraction(self.size))
        self.at = now

    def take(self) -> bool:
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    def wait_s(self) -> int:
        missing = self.size - self.tokens if self.tokens >= 1 else 1 - self.tokens
        exact = missing / self.rate
        return -(-exact.numerator // exact.denominator)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: f"{policy.name}-{policy.quota}")
def test_agrees_with_a_refilled_bucket(policy: RateLimitPolicy) -> None:
    chance = random.Random(policy.quota)
    simulated = Bucket(policy)
    base = 1_800_000_000 * SECOND_US
    now_us, full_at = 0, None
    refused = 0
    for number in range(20_000):
        # Bursts of four times the rate, and pauses.
        mean = policy.step_us // 4 if number // 3000 % 2 == 0 else policy.step_us * 2
        now_us += chance.randrange(2 * mean)
        simulated.move(Fraction(now_us, SECOND_US))
        taken = take(policy, full_at, base + now_us)
        assert (taken is not None) == simulated.take(), (number, now_us)
        full_at = taken or full_at
        refused += taken is None
        limit_status = bucket_status(policy, full_at, base + now_us)
        assert (limit_status.remaining, limit_status.wait_s) == (int(simulated.tokens), simulated.wait_s())
    assert refused > 100


def test_a_quota_that_does_not_divide_its_window_is_never_exceeded() -> None:
    policy = RateLimitPolicy("odd", 7, 60)
    full_at, taken = None, 0
    for now_us in range(0, 2 * 60 * SECOND_US, SECOND_US // 10):
        moved = take(policy, full_at, now_us)
        taken += moved is not None
        full_at = moved if moved is not None else full_at
    assert taken == 7 + 2 * 7 - 1


def test_a_clock_set_back_empties_the_bucket_at_most() -> None:
    policy = RateLimitPolicy("key", 60, 60, 10)
    limit_status = bucket_status(policy, 10**15, 10**12)
    assert (limit_status.remaining, limit_status.wait_s) == (0, 1)


def test_the_tightest_limit_comes_first_and_among_empty_ones_the_longest_wait() -> None:
    quick, slow, roomy = (
        RateLimitPolicy("quick", 60, 60, 1),
        RateLimitPolicy("slow", 1, 3600),
        RateLimitPolicy("roomy", 100, 60),
    )
    limits = [RateLimit(roomy, "a"), RateLimit(quick, "b"), RateLimit(slow, "c")]
    now = 10**15
    decision = decide(False, limits, [None, now + quick.depth_us, now + slow.depth_us], now)
    assert [(item.policy.name, item.remaining) for item in decision.limit_statuses] == [
        ("slow", 0),
        ("quick", 0),
        ("roomy", 100),
    ]
    assert [item.wait_s for item in decision.limit_statuses] == [3600, 1, 0]


class ReferenceThrottle:
    """The documented rule, implemented with a list of times."""

    def __init__(self) -> None:
        self.failures: list[float] = []
        self.blocked_until = 0.0
        self.delay = 0.0

    def attempt(self, now: float) -> float:
        quiet_since = self.blocked_until if self.delay else (self.failures[0] if self.failures else now)
        if self.failures and now >= quiet_since + 900:
            self.__init__()
        if now < self.blocked_until:
            return self.blocked_until - now
        self.failures.append(now)
        if len(self.failures) >= 5:
            self.delay = min(self.delay * 2 or 60, 3600)
            self.blocked_until = now + self.delay
        return 0


def test_login_throttle_agrees_with_the_documented_rule() -> None:
    chance = random.Random(7)
    reference, state, now = ReferenceThrottle(), None, 0
    waits = set()
    for _ in range(5000):
        now += chance.choice([1, 5, 20, 61, 300, 1000, 2000, 5000])
        state, wait_us = login_throttle.record_failure(state, now * SECOND_US)
        assert wait_us == reference.attempt(now) * SECOND_US
        waits.add(wait_us)
    assert max(waits) > 1800 * SECOND_US


def test_delays_grow_to_an_hour_and_stay_there() -> None:
    state, now, delays = None, 0, []
    for _ in range(14):
        state, wait_us = login_throttle.record_failure(state, now)
        assert wait_us == 0
        _, wait_us = login_throttle.record_failure(state, now)
        delays.append(wait_us // SECOND_US)
        now += wait_us

    assert delays[4:] == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600, 3600]
