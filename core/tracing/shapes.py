"""What a span is to those who use it, and to what keeps it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Protocol

Attributes = Mapping[str, str | int | float | bool | None]


class Kind(enum.Enum):
    """Which side of a conversation a span is. Source: OpenTelemetry, Trace API, SpanKind."""

    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"
    PRODUCER = "producer"
    CONSUMER = "consumer"


class Span:
    """A piece of work in a trace. This one is given where traces are off, and keeps nothing."""

    __slots__ = ()

    @property
    def traceparent(self) -> str:
        """Return its place as text."""
        return ""

    def set(self, attributes: Attributes) -> None:
        """Note more of it; what is None is left out. Never secrets, bodies, queries of URLs or texts of exceptions."""

    def rename(self, name: str) -> None:
        """Give it the name that was not known at its beginning."""

    def fail(self, error_type: str) -> None:
        """Mark it as failed. error_type: of few values, such as a code or the name of an exception's class."""

    def end(self) -> None:
        """End it; what is not ended is not exported."""


class Backend(Protocol):
    """What keeps spans and sends them away."""

    def begin(
        self,
        name: str,
        kind: Kind,
        attributes: Attributes,
        parent: str,
        *,
        is_remote: bool,
        link: str,
        began_ns: int | None,
    ) -> Span:
        """Return a new span, which is its caller's to end. parent, link: places, empty for none."""

    def stop(self) -> None:
        """Send what is left, within seconds."""
