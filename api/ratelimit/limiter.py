"""The rate limiter: it charges requests, and lets them pass while its store fails."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from django.conf import settings
from rest_framework.request import Request

from api.ratelimit.buckets import RateLimit, RateLimitDecision, RateLimitPolicy, decide
from api.ratelimit.sqlite_store import SqliteLimitStore
from api.ratelimit.store import LimitStore, LimitStoreBusy, LimitStoreUnavailable, TakeResult, ThrottleRule
from core.counters import count
from core.registry import Registry, identity

logger = logging.getLogger(__name__)
ERRORS = "renderowl_ratelimit_errors_total"
# How long the circuit stays open after a failure, so that not every request waits for a dead store's timeout.
COOLDOWN_S = 1.0
_PROBE = RateLimit(RateLimitPolicy("probe", quota=1, window_s=1), "probe:none")
Result = TypeVar("Result")
RateLimitProvider = Callable[[Request, str, int], Sequence[RateLimit]]
# Each is called as `provider(request, operation, units)`. operation: the class of the action, such as `create_render`,
# or "" if it has none; units: how many operations the request counts as.
limit_providers = Registry[RateLimitProvider, RateLimitProvider]("limit provider", key=identity)


class Limiter:
    """Decides with the state in a store. If it fails, every request passes, and the failure is logged and counted."""

    def __init__(self, store: LimitStore) -> None:
        self._store = store
        self._circuit_open_until = float("-inf")

    def take(self, limits: Sequence[RateLimit]) -> RateLimitDecision | None:
        """Take one unit from every limit, or from none; None if the store failed and the request passes."""
        return self._decide(self._store.take, limits)

    def peek(self, limits: Sequence[RateLimit]) -> RateLimitDecision | None:
        """Return the state of the limits without a charge; None if the store failed."""
        return self._decide(self._store.peek, limits)

    def record_failure(self, subject: str, rule: ThrottleRule) -> int:
        """Count an attempt before it is made; return for how many microseconds it is refused, 0 if it may proceed."""
        return self._call_store(lambda: self._store.record_failure(subject, rule)) or 0

    def reset(self, subject: str) -> None:
        """Delete the failed attempts of a subject."""
        self._call_store(lambda: self._store.reset(subject))

    def probe(self) -> None:
        """Query an unused bucket, even if the circuit is open; raise LimitStoreUnavailable."""
        self._store.peek([_PROBE])

    def _decide(
        self, action: Callable[[Sequence[RateLimit]], TakeResult], limits: Sequence[RateLimit]
    ) -> RateLimitDecision | None:
        if not limits:
            return None
        result = self._call_store(lambda: action(limits))
        if result is None:
            return None
        return decide(result.allowed, limits, result.full_at_us, result.now_us)

    def _call_store(self, action: Callable[[], Result]) -> Result | None:
        if time.monotonic() < self._circuit_open_until:
            count(ERRORS)
            return None
        try:
            return action()
        except LimitStoreUnavailable as error:
            if not isinstance(error, LimitStoreBusy):
                self._circuit_open_until = time.monotonic() + COOLDOWN_S
            count(ERRORS)
            logger.exception("the rate limiter's store failed; requests pass unlimited")
            return None


def limiter() -> Limiter | None:
    """Return this process's limiter, None if rate limits are off."""
    return _limiter_of(settings.RENDEROWL_CACHE_URL) if settings.RENDEROWL_RATE_LIMITS else None


@lru_cache(maxsize=4)
def _limiter_of(url: str) -> Limiter:
    if url.startswith("sqlite:///"):
        return Limiter(SqliteLimitStore(Path(settings.BASE_DIR) / url.removeprefix("sqlite:///")))
    # Imported late, as the Redis client takes a tenth of a process's start-up time.
    from api.ratelimit.redis_store import RedisLimitStore

    return Limiter(RedisLimitStore(url))


def request_limits(request: Request, operation: str, units: int = 1) -> list[RateLimit]:
    """Return the limits of a request from all providers."""
    return [limit for provider in limit_providers for limit in provider(request, operation, units)]
