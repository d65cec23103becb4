"""Traces: what happens to one request, from the call to the webhook that tells of its end.

Spans are OpenTelemetry's, and so is the context that carries them. Where no OTEL_* variable asks for traces, only its
API is loaded and no span is kept, but the caller's `traceparent` is still followed. Between processes the trace travels
as text, in headers and in the rows of jobs.

`core.tracing.sdk` is loaded by `start`, and only where traces are wanted.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from django.conf import settings
from opentelemetry.context import Context
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    NonRecordingSpan,
    NoOpTracer,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    Tracer,
    get_current_span,
    set_span_in_context,
    use_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

if TYPE_CHECKING:
    from core.tracing.sdk import Provider

HEADER = "traceparent"
# Never secrets, bodies, queries of URLs or texts of exceptions. What is None is left out.
Attributes = Mapping[str, str | int | float | bool | None]

# The second one is level 2 of the standard; others are not passed on.
_KNOWN_FLAGS = TraceFlags.SAMPLED | TraceFlags.RANDOM_TRACE_ID
_NO_ATTRIBUTES: Attributes = {}
_propagator = TraceContextTextMapPropagator()
_starting = threading.Lock()
_provider: Provider | None = None
_tracer: Tracer = NoOpTracer()


def is_enabled() -> bool:
    """Return whether this process keeps spans."""
    return _provider is not None


def start_span(
    name: str,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Attributes = _NO_ATTRIBUTES,
    parent: str | None = None,
    link: str = "",
) -> Span:
    """Return a new span, to be ended by the caller; where traces are off, one that only carries the parent's place.

    parent: a `traceparent` that came from elsewhere, empty for a trace of its own; None for the span in progress.
    link: the `traceparent` of a span that it has to do with besides.
    """
    linked = _remote_span(link).get_span_context()
    return _tracer.start_span(
        name,
        context=None if parent is None else set_span_in_context(_remote_span(parent), Context()),
        kind=kind,
        attributes=_known(attributes),
        links=[Link(linked)] if linked.is_valid else None,
        record_exception=False,
        set_status_on_exception=False,
    )


@contextmanager
def span(
    name: str,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Attributes = _NO_ATTRIBUTES,
    parent: str | None = None,
) -> Iterator[Span]:
    """Give a span for the block, as `start_span` makes it; an exception that leaves the block marks it as failed."""
    begun = start_span(name, kind=kind, attributes=attributes, parent=parent)
    try:
        with as_current(begun):
            yield begun
    except BaseException as error:
        set_error(begun, type(error).__name__)
        raise
    finally:
        begun.end()


def as_current(chosen: Span) -> AbstractContextManager[Span]:
    """Make a span the current one in this thread; it is not ended."""
    return use_span(chosen, record_exception=False, set_status_on_exception=False)


def set_attributes(chosen: Span, attributes: Attributes) -> None:
    """Add attributes to a span."""
    chosen.set_attributes(_known(attributes))


def set_error(chosen: Span, error_type: str) -> None:
    """Mark a span as failed. error_type: of few values, such as a code or the name of an exception's class."""
    chosen.set_attribute("error.type", error_type)
    chosen.set_status(StatusCode.ERROR)


def continue_trace(traceparent: str) -> AbstractContextManager[Span]:
    """Let the block belong to a caller's trace; to none where the header is empty, or one that is to be ignored."""
    return as_current(_remote_span(traceparent))


def current_traceparent() -> str:
    """Return the `traceparent` of the span in progress, empty where there is no trace."""
    return traceparent_of(get_current_span())


def traceparent_of(chosen: Span) -> str:
    """Return a span's place as text, empty where it belongs to no trace."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier, set_span_in_context(chosen, Context()))
    return carrier.get(HEADER, "")


def _remote_span(traceparent: str) -> Span:
    """Return the span that a header names, the invalid one for what the standard tells receivers to ignore."""
    found = get_current_span(_propagator.extract({HEADER: traceparent.strip()}, Context())).get_span_context()
    if not found.is_valid:
        return INVALID_SPAN
    flags = TraceFlags(found.trace_flags & _KNOWN_FLAGS)
    return NonRecordingSpan(SpanContext(found.trace_id, found.span_id, is_remote=True, trace_flags=flags))


def _known(attributes: Attributes) -> dict[str, str | int | float | bool]:
    return {name: value for name, value in attributes.items() if value is not None}


def preload() -> None:
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
        if _provider is None:
            # Half a second and 20 MB, only for those who use it.
            from core.tracing.sdk import Provider, make_exporter

            install(Provider(make_exporter(exporter), role=role, token=f"{role}-{os.getpid()}"))


def install(provider: Provider | None) -> None:
    """Keep spans there; None for nowhere. The global provider of OpenTelemetry is left to other code."""
    global _provider, _tracer  # noqa: PLW0603 - one a process
    _provider = provider
    _tracer = NoOpTracer() if provider is None else provider.get_tracer("renderowl", settings.RENDEROWL_VERSION)


def stop() -> None:
    """Send what is left and keep nothing any more."""
    provider = _provider
    install(None)
    if provider is not None:
        provider.shutdown()
