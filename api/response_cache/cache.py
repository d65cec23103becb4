"""The response cache: look-ups, cache fills and single flight; while its store fails, responses are uncached."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from django.conf import settings

from api.response_cache.sqlite_store import SqliteCacheStore
from api.response_cache.store import CacheEntry, CacheRule, CacheStore, CacheStoreUnavailable
from core.counters import count
from core.request_timings import timed_cache

logger = logging.getLogger(__name__)
ERRORS = "renderowl_response_cache_errors_total"
# How long the circuit stays open after a failure, so that not every request waits for a dead store's timeout.
COOLDOWN_S = 1.0
# How long requests wait for another one's cache fill before they compute the response themselves.
WAIT_S = 0.2
POLL_S = 0.005
LEASE_S = 5.0
MAX_BODY_BYTES = 1024 * 1024
Result = TypeVar("Result")


def cache_rule_of(route_name: str) -> CacheRule | None:
    """Return the rule of a route, None if its responses are not cached."""
    rules: dict[str, CacheRule] = settings.RENDEROWL_RESPONSE_CACHE_RULES
    return rules.get(route_name)


class ResponseCache:
    """Reads and writes cached responses. If the store fails, nothing is cached; failures are logged and counted."""

    def __init__(self, store: CacheStore) -> None:
        self._store = store
        self._circuit_open_until = float("-inf")

    @property
    def is_circuit_open(self) -> bool:
        """Return whether the store failed within the last COOLDOWN_S."""
        return time.monotonic() < self._circuit_open_until

    def get(self, key: str, tag_versions: str) -> CacheEntry | None:
        """Return the entry of a key if it was cached under these tag versions."""
        entry = self._call_store(lambda: self._store.get_local(key, tag_versions) or self._store.get(key), None)
        return entry if entry is not None and entry.tag_versions == tag_versions else None

    def acquire(self, key: str) -> bool:
        """Return whether the caller is to fill the entry; other requests then wait for its `put` or `release`."""
        return self._call_store(lambda: self._store.acquire(key, lease_s=LEASE_S), default=True)

    def wait(self, key: str, read_versions: Callable[[], str | None]) -> tuple[CacheEntry, str] | None:
        """Return the entry that another request fills, with its tag versions; None if that takes too long."""
        give_up_at = time.monotonic() + WAIT_S
        while time.monotonic() < give_up_at:
            with timed_cache():
                time.sleep(POLL_S)
            is_acquired = self._call_store(lambda: self._store.is_acquired(key), default=False)
            if is_acquired:
                continue
            # Read again: the response may include changes made after the first read.
            tag_versions = read_versions()
            entry = None if tag_versions is None else self.get(key, tag_versions)
            return None if entry is None or tag_versions is None else (entry, tag_versions)
        return None

    def put(self, key: str, entry: CacheEntry, *, ttl_s: float) -> None:
        """Cache a response, unless it is too large."""
        if len(entry.body) > MAX_BODY_BYTES:
            self.release(key)
        else:
            self._call_store(lambda: self._store.put(key, entry, ttl_s=ttl_s), None)

    def release(self, key: str) -> None:
        """End the single flight without a response."""
        self._call_store(lambda: self._store.release(key), None)

    def clear(self) -> None:
        """Delete all entries, or raise CacheStoreUnavailable."""
        self._store.clear()

    def _call_store(self, action: Callable[[], Result], default: Result) -> Result:
        if self.is_circuit_open:
            count(ERRORS)
            return default
        try:
            with timed_cache():
                return action()
        except CacheStoreUnavailable:
            self._circuit_open_until = time.monotonic() + COOLDOWN_S
            count(ERRORS)
            logger.exception("the response cache's store failed; responses are uncached")
            return default


def response_cache() -> ResponseCache | None:
    """Return this process's cache, None if caching is off."""
    if not settings.RENDEROWL_RESPONSE_CACHE:
        return None
    return _cache_of(settings.RENDEROWL_CACHE_URL, settings.RENDEROWL_RESPONSE_CACHE_BYTES)


@lru_cache(maxsize=4)
def _cache_of(url: str, limit_bytes: int) -> ResponseCache:
    if url.startswith("sqlite:///"):
        # Not in the file of the rate limits: writing a large response must not delay the counting of a request.
        path = Path(settings.BASE_DIR) / url.removeprefix("sqlite:///")
        return ResponseCache(
            SqliteCacheStore(path.with_name(f"{path.stem}-responses.sqlite3"), limit_bytes=limit_bytes)
        )
    # Imported late, as the Redis client takes a tenth of a process's start-up time.
    from api.response_cache.redis_store import RedisCacheStore

    return ResponseCache(RedisCacheStore(url))
