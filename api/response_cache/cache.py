"""The cache that views call: it finds, keeps and coordinates, and never stands in the way when its store fails."""

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
# After a failure the store is left alone for so long: a dead one must not cost every request its time limit.
COOLDOWN_S = 1.0
# How long others wait for whoever makes an answer; what takes longer they make themselves.
WAIT_S = 0.2
POLL_S = 0.005
LEASE_S = 5.0
MAX_BODY_BYTES = 1024 * 1024
Result = TypeVar("Result")


def cache_rule_of(route_name: str) -> CacheRule | None:
    """Return the rule of a route, None for one whose answers are made anew each time."""
    rules: dict[str, CacheRule] = settings.RENDEROWL_RESPONSE_CACHE_RULES
    return rules.get(route_name)


class ResponseCache:
    """Finds and keeps answers; where the store fails it finds nothing, and that is logged and counted."""

    def __init__(self, store: CacheStore) -> None:
        self._store = store
        self._circuit_open_until = float("-inf")

    @property
    def is_circuit_open(self) -> bool:
        """Return whether the store failed a moment ago."""
        return time.monotonic() < self._circuit_open_until

    def get(self, key: str, tag_versions: str) -> CacheEntry | None:
        """Return the answer under a key if it was made of what is still so."""
        entry = self._call_store(lambda: self._store.get_local(key, tag_versions) or self._store.get(key), None)
        return entry if entry is not None and entry.tag_versions == tag_versions else None

    def acquire(self, key: str) -> bool:
        """Return whether the caller is to make the answer; nobody else is then asked to until it is kept or dropped."""
        return self._call_store(lambda: self._store.acquire(key, lease_s=LEASE_S), default=True)

    def wait(self, key: str, read_versions: Callable[[], str | None]) -> tuple[CacheEntry, str] | None:
        """Return the entry that another request is making, with its tag versions; None if that takes too long."""
        give_up_at = time.monotonic() + WAIT_S
        while time.monotonic() < give_up_at:
            with timed_cache():
                time.sleep(POLL_S)
            is_acquired = self._call_store(lambda: self._store.is_acquired(key), default=False)
            if is_acquired:
                continue
            # Read anew: the answer may tell of changes that came after the first reading.
            tag_versions = read_versions()
            entry = None if tag_versions is None else self.get(key, tag_versions)
            return None if entry is None or tag_versions is None else (entry, tag_versions)
        return None

    def put(self, key: str, entry: CacheEntry, *, ttl_s: float) -> None:
        """Keep an answer, unless it is too large to be worth it."""
        if len(entry.body) > MAX_BODY_BYTES:
            self.release(key)
        else:
            self._call_store(lambda: self._store.put(key, entry, ttl_s=ttl_s), None)

    def release(self, key: str) -> None:
        """Say that there will be no answer."""
        self._call_store(lambda: self._store.release(key), None)

    def clear(self) -> None:
        """Forget all answers.

        Raises CacheStoreUnavailable.
        """
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
            logger.exception("the store of answers failed; each is made anew")
            return default


def response_cache() -> ResponseCache | None:
    """Return the cache of this process, None where answers are not kept."""
    if not settings.RENDEROWL_RESPONSE_CACHE:
        return None
    return _cache_of(settings.RENDEROWL_CACHE_URL, settings.RENDEROWL_RESPONSE_CACHE_BYTES)


@lru_cache(maxsize=4)
def _cache_of(url: str, limit_bytes: int) -> ResponseCache:
    if url.startswith("sqlite:///"):
        # Beside the file of the rate limits, not in it: a large answer must not hold up the counting of a request.
        path = Path(settings.BASE_DIR) / url.removeprefix("sqlite:///")
        return ResponseCache(
            SqliteCacheStore(path.with_name(f"{path.stem}-responses.sqlite3"), limit_bytes=limit_bytes)
        )
    # Redis' library takes a tenth of a process' start, for those that have a Redis.
    from api.response_cache.redis_store import RedisCacheStore

    return ResponseCache(RedisCacheStore(url))
