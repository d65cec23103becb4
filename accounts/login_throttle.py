"""Login throttle: exponential delays after failed logins, as a pure function of time.

Five failures within 15 minutes are free. Each further failure blocks logins: for a minute at first, then twice as long
each time, up to an hour. A success resets the throttle, as do 15 minutes without an attempt after a block has ended.
"""

from __future__ import annotations

from api.ratelimit.buckets import SECOND_US, LimitStatus, RateLimitPolicy
from api.ratelimit.store import ThrottleState

FREE_FAILURES = 5
WINDOW_S = 15 * 60
FIRST_DELAY_S = 60
MAX_DELAY_S = 3600
LOGIN_POLICY = RateLimitPolicy("login", FREE_FAILURES, WINDOW_S)


def record_failure(state: ThrottleState | None, now_us: int) -> tuple[ThrottleState | None, int]:
    """Return the new state after an attempt, and for how many microseconds the attempt is refused (0: allowed).

    An attempt counts as failed before its password is checked, so of many concurrent ones at most five get through.
    A refused attempt does not change the state, so a Retry-After that was sent stays valid.
    """
    if state is None or now_us >= state.expires_at_us:
        return ThrottleState(1, 0, now_us + WINDOW_S * SECOND_US), 0
    if now_us < state.blocked_until_us:
        return state, state.blocked_until_us - now_us
    failures = state.failures + 1
    if failures < FREE_FAILURES:
        return ThrottleState(failures, 0, state.expires_at_us), 0
    delay_s = min(FIRST_DELAY_S << min(failures - FREE_FAILURES, 16), MAX_DELAY_S)
    blocked_until_us = now_us + delay_s * SECOND_US
    return ThrottleState(failures, blocked_until_us, blocked_until_us + WINDOW_S * SECOND_US), 0


def refusal(wait_us: int) -> LimitStatus:
    """Return the limit status of a refused login."""
    return LimitStatus(LOGIN_POLICY, 0, -(-wait_us // SECOND_US))
