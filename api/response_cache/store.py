"""What every store of answers can do, and how long it keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol


class StoreUnavailable(Exception):
    """The store could not be reached, or is broken: do without it."""


class Rule(NamedTuple):
    """How long an answer may be used. ttl_s: by this server; max_age_s: by the client without asking again."""

    ttl_s: int
    max_age_s: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """An answer, always a 200 to a GET. made_under: the state of its tags, read before its rows."""

    made_under: str
    headers: dict[str, str]
    body: bytes


class AnswerStore(Protocol):
    """Keeps answers for all processes. Every method may raise StoreUnavailable."""

    def recall(self, key: str, made_under: str) -> Entry | None:
        """Return what this process has read before, if it still holds; asks nobody."""

    def get(self, key: str) -> Entry | None:
        """Return what lies under a key, None where nothing does or its time is over."""

    def put(self, key: str, entry: Entry, *, ttl_s: float) -> None:
        """Keep an answer, in place of an older one."""

    def begin(self, key: str, *, lease_s: float) -> bool:
        """Return whether the caller is the one to make the answer; others wait until `end`, or for the lease."""

    def is_begun(self, key: str) -> bool:
        """Return whether somebody is making the answer."""

    def end(self, key: str) -> None:
        """Let others make the answer."""

    def clear(self) -> None:
        """Forget everything."""
