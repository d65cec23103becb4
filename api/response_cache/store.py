"""Interface of the response cache stores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol


class CacheStoreUnavailable(Exception):
    """The store cannot be reached, or is broken."""


class CacheRule(NamedTuple):
    """How long a response may be reused. ttl_s: by this server; max_age_s: by the client without revalidation."""

    ttl_s: int
    max_age_s: int = 0


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """A cached response, always a 200 to a GET. tag_versions: the versions of its tags, read before its rows."""

    tag_versions: str
    headers: dict[str, str]
    body: bytes


class CacheStore(Protocol):
    """Cached responses of all processes. Every method may raise CacheStoreUnavailable."""

    def get_local(self, key: str, tag_versions: str) -> CacheEntry | None:
        """Return the entry if this process has read it before and it is still valid; does no I/O."""

    def get(self, key: str) -> CacheEntry | None:
        """Return the entry of a key, None if it is missing or expired."""

    def put(self, key: str, entry: CacheEntry, *, ttl_s: float) -> None:
        """Store an entry, replacing an older one."""

    def acquire(self, key: str, *, lease_s: float) -> bool:
        """Return whether the caller is to fill the entry; others wait for `put`, `release`, or the lease's end."""

    def is_acquired(self, key: str) -> bool:
        """Return whether a request is filling the entry."""

    def release(self, key: str) -> None:
        """Let other requests fill the entry."""

    def clear(self) -> None:
        """Delete all entries."""
