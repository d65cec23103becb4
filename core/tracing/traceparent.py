"""The place in a trace, as text. Source: W3C Trace Context, section 3.2."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

HEADER = "traceparent"
_VERSION_0 = "00"
# The second one is level 2 of the standard; others are not passed on.
_KNOWN_FLAGS = 0b11
_TEXT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_text: ContextVar[str] = ContextVar("traceparent", default="")


@dataclass(frozen=True, slots=True)
class Place:
    """A span of some trace. trace_id: 32 hexadecimal digits; span_id: 16; flags: 1 for sampled, 2 for a random id."""

    trace_id: str
    span_id: str
    flags: int

    def __str__(self) -> str:
        return f"{_VERSION_0}-{self.trace_id}-{self.span_id}-{self.flags:02x}"


def parse(text: str) -> Place | None:
    """Return what the text names; None for what the standard tells receivers to ignore."""
    found = _TEXT.fullmatch(text)
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    # Later versions may say more after what this one knows; of this one that would be a mistake.
    if version == "ff" or (version == _VERSION_0 and more):
        return None
    if not trace_id.strip("0") or not span_id.strip("0"):
        return None
    return Place(trace_id, span_id, int(flags, 16) & _KNOWN_FLAGS)


def read_traceparent(header: str) -> str:
    """Return a header as it may be passed on, empty for one that is to be ignored."""
    place = parse(header.strip()) if header else None
    return str(place) if place else ""


def current_traceparent() -> str:
    """Return the place of the work in progress, empty where it belongs to no trace."""
    return _text.get()


@contextmanager
def following(text: str) -> Iterator[None]:
    """Let what is done in the block belong to that place; to none where it is empty."""
    token = _text.set(text)
    try:
        yield
    finally:
        _text.reset(token)
