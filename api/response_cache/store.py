"""What every store of answers can do, and how long it keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol


class CacheStoreUnavailable(Exception):
    """The store could not be reached, or is broken: do without it."""


class CacheRule(NamedTuple):
    """How long an answer may be used. ttl_s: by this server; max_age_s: by the client without asking again."""

    ttl_s: int
    max_age_s: int = 0


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """An answer, always a 200 to a GET. tag_versions: the versions of its tags, read before its rows."""

    tag_versions: str
    headers: dict[str, str]
    body: bytes


class CacheStore(Protocol):
    """Keeps answers for all processes. Every method may raise CacheStoreUnavailable."""

    def get_local(self, key: str, tag_versions: str) -> CacheEntry | None:
        """Return what this process has read before, if it still holds; asks nobody."""

    def get(self, key: str) -> CacheEntry | None:
        """Return what lies under a key, None where nothing does or its time is over."""

    def put(self, key: str, entry: CacheEntry, *, ttl_s: float) -> None:
        """Keep an answer, in place of an older one."""

    def acquire(self, key: str, *, lease_s: float) -> bool:
        """Return whether the caller is the one to make the answer; others wait until `release`, or for the lease."""

    def is_acquired(self, key: str) -> bool:
        """Return whether somebody is making the answer."""

    def release(self, key: str) -> None:
        """Let others make the answer."""

    def clear(self) -> None:
        """Forget everything."""
