"""Single flight: one of many concurrent requests fills the cache, the others wait or compute the response."""

from __future__ import annotations

import threading
import time

from api.response_cache.cache import ResponseCache
from api.response_cache.sqlite_store import SqliteCacheStore
from api.response_cache.store import CacheEntry


def make_cache(tmp_path):
    return ResponseCache(SqliteCacheStore(tmp_path / "responses.sqlite3", limit_bytes=1 << 20))


def test_waits_for_another_request_to_fill_the_cache(tmp_path):
    cache, entry = make_cache(tmp_path), CacheEntry("state 2", {}, b"body")
    assert cache.acquire("a")
    assert not cache.acquire("a")
    timer = threading.Timer(0.05, lambda: cache.put("a", entry, ttl_s=60))
    timer.start()
    # After a change in between, the tag versions are read again once the entry is filled.
    assert cache.wait("a", lambda: "state 2") == (entry, "state 2")
    timer.join()


def test_stops_waiting_after_200_ms_or_when_the_fill_is_released(tmp_path):
    cache = make_cache(tmp_path)
    assert cache.acquire("a")
    began = time.monotonic()
    assert cache.wait("a", lambda: "state") is None
    assert 0.15 < time.monotonic() - began < 1.0
    cache.release("a")
    assert cache.wait("a", lambda: "state") is None
    cache.put("a", CacheEntry("old state", {}, b""), ttl_s=60)
    assert cache.wait("a", lambda: "state") is None


def test_large_responses_are_not_cached(tmp_path):
    cache = make_cache(tmp_path)
    assert cache.acquire("a")
    cache.put("a", CacheEntry("state", {}, bytes(2_000_000)), ttl_s=60)
    assert cache.get("a", "state") is None
    assert cache.acquire("a")
