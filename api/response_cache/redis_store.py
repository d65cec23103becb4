"""Response cache store in Redis, for processes on several machines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import redis

from api.response_cache.store import CacheEntry, CacheStoreUnavailable

SOCKET_TIMEOUT_S = 0.1
PREFIX = "renderowl:"


class RedisCacheStore:
    """Redis deletes expired entries by itself; its setting `maxmemory` limits their size."""

    def __init__(self, url: str, *, prefix: str = PREFIX) -> None:
        """prefix: of all keys. Connects on first use."""
        self._responses, self._locks = f"{prefix}response:", f"{prefix}single_flight:"
        self._redis: Any = redis.Redis.from_url(
            url, socket_timeout=SOCKET_TIMEOUT_S, socket_connect_timeout=SOCKET_TIMEOUT_S
        )

    def get_local(self, key: str, tag_versions: str) -> CacheEntry | None:
        """Return None: only Redis knows when an entry expires."""
        return None

    def get(self, key: str) -> CacheEntry | None:
        """Return the entry of a key, None if it is missing or expired."""
        with _translated():
            raw = self._redis.get(self._responses + key)
            if raw is None:
                return None
            head, _, body = raw.partition(b"\n")
            tag_versions, headers = orjson.loads(head)
            return CacheEntry(tag_versions, headers, body)

    def put(self, key: str, entry: CacheEntry, *, ttl_s: float) -> None:
        """Store an entry, and let the requests that wait for it go on."""
        head = orjson.dumps([entry.tag_versions, entry.headers])
        with _translated(), self._redis.pipeline(transaction=True) as pipeline:
            pipeline.set(self._responses + key, head + b"\n" + entry.body, px=max(1, int(ttl_s * 1000)))
            pipeline.delete(self._locks + key)
            pipeline.execute()

    def acquire(self, key: str, *, lease_s: float) -> bool:
        """Return whether the caller is to fill the entry."""
        with _translated():
            return bool(self._redis.set(self._locks + key, b"1", nx=True, px=int(lease_s * 1000)))

    def is_acquired(self, key: str) -> bool:
        """Return whether a request is filling the entry."""
        with _translated():
            return bool(self._redis.exists(self._locks + key))

    def release(self, key: str) -> None:
        """Let other requests fill the entry."""
        with _translated():
            self._redis.delete(self._locks + key)

    def clear(self) -> None:
        """Delete all entries."""
        with _translated():
            for prefix in (self._responses, self._locks):
                keys = list(self._redis.scan_iter(match=f"{prefix}*", count=1000))
                for start in range(0, len(keys), 1000):
                    self._redis.unlink(*keys[start : start + 1000])


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (redis.RedisError, OSError, orjson.JSONDecodeError, ValueError) as error:
        raise CacheStoreUnavailable(str(error)) from error
