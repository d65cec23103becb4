"""Spans, as everybody uses them. What keeps them is loaded by `start`, and only where traces are wanted."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from types import TracebackType

from django.conf import settings

from core.tracing.shapes import Attributes, Backend, Kind, Span
from core.tracing.traceparent import current_traceparent, following

_SILENT = Span()
_NOTHING = nullcontext(_SILENT)
_NO_ATTRIBUTES: Attributes = {}
_current: ContextVar[Span] = ContextVar("span", default=_SILENT)
_starting = threading.Lock()
_backend: Backend | None = None


def is_on() -> bool:
    """Return whether this process keeps spans."""
    return _backend is not None


def current() -> Span:
    """Return the span of the work in progress."""
    return _current.get()


def begin(
    name: str,
    *,
    kind: Kind = Kind.INTERNAL,
    attributes: Attributes = _NO_ATTRIBUTES,
    parent: str | None = None,
    link: str = "",
    began_ns: int | None = None,
) -> Span:
    """Return a new span, to be ended by the caller.

    parent: a place that came from elsewhere, empty for a trace of its own; None for that of the work in progress.
    link: a place that it has to do with besides. began_ns: since the epoch; None for now.
    """
    if _backend is None:
        return _SILENT
    place = current_traceparent() if parent is None else parent
    return _backend.begin(name, kind, attributes, place, is_remote=parent is not None, link=link, began_ns=began_ns)


def span(
    name: str,
    *,
    kind: Kind = Kind.INTERNAL,
    attributes: Attributes = _NO_ATTRIBUTES,
    parent: str | None = None,
    link: str = "",
) -> AbstractContextManager[Span]:
    """Give a span for the block, below that of the work in progress; what the block raises marks it as failed."""
    if _backend is None:
        return _NOTHING
    return _Block(begin(name, kind=kind, attributes=attributes, parent=parent, link=link))


@contextmanager
def within(chosen: Span) -> Iterator[None]:
    """Make a span that of the work in progress, in this thread; it is not ended."""
    if chosen is _SILENT:
        yield
        return
    token = _current.set(chosen)
    try:
        with following(chosen.traceparent):
            yield
    finally:
        _current.reset(token)


class _Block:
    """The span of a block. A class, as what passes through is to be seen and not to be caught."""

    __slots__ = ("_inside", "_span")

    def __init__(self, begun: Span) -> None:
        self._span = begun
        self._inside = within(begun)

    def __enter__(self) -> Span:
        self._inside.__enter__()
        return self._span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._inside.__exit__(None, None, None)
        if kind is not None:
            self._span.fail(kind.__name__)
        self._span.end()


def load() -> None:
    """Load what `start` needs, where it is wanted, for a process that forks others and keeps no spans itself."""
    if settings.RENDEROWL_TRACES_EXPORTER:
        import core.tracing.sdk  # noqa: F401 - half a second for all of them instead of for each


def start(role: str) -> None:
    """Keep spans in this process from now on, if the settings want it; once is enough.

    role: `web` or `worker`, for the default name of the service. It starts a thread: call it after the last fork.
    """
    exporter: str = settings.RENDEROWL_TRACES_EXPORTER
    if not exporter:
        return
    with _starting:
        if _backend is None:
            # Half a second, and 20 MB, that nobody shall pay who does not use it.
            from core.tracing.sdk import SdkBackend, make_exporter

            install(SdkBackend(make_exporter(exporter), role=role, token=f"{role}-{os.getpid()}"))


def install(backend: Backend | None) -> None:
    """Keep spans there; None for nowhere."""
    global _backend  # noqa: PLW0603 - one a process
    _backend = backend


def stop() -> None:
    """Send what is left and keep nothing any more."""
    backend = _backend
    install(None)
    if backend is not None:
        backend.stop()
