"""Tracing of a request, from the call to the webhook that reports its end.

Spans and their context are OpenTelemetry's. Unless OTEL_* variables turn tracing on, only its API is loaded and no span
is recorded, but the caller's `traceparent` is still propagated. Between processes it is passed as text, in headers and
in the rows of jobs.

`start` loads `core.tracing.sdk`, only if tracing is on.
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
# Never secrets, bodies, queries of URLs or messages of exceptions. None values are omitted.
Attributes = Mapping[str, str | int | float | bool | None]

# RANDOM_TRACE_ID is level 2 of the standard; unknown flags are not propagated.
_KNOWN_FLAGS = TraceFlags.SAMPLED | TraceFlags.RANDOM_TRACE_ID
_NO_ATTRIBUTES: Attributes = {}
_propagator = TraceContextTextMapPropagator()
_starting = threading.Lock()
_provider: Provider | None = None
_tracer: Tracer = NoOpTracer()


def is_enabled() -> bool:
    """Return whether this process records spans."""
    return _provider is not None


def start_span(
    name: str,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Attributes = _NO_ATTRIBUTES,
    parent: str | None = None,
    link: str = "",
) -> Span:
    """Return a new span, which the caller must end; with tracing off, one that only carries the parent's context.

    parent: a `traceparent` from another process, empty for a new trace; None for the current span.
    link: the `traceparent` of another related span.
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
    """Record a span for the block, as `start_span`; an exception that leaves the block marks it as failed."""
    started = start_span(name, kind=kind, attributes=attributes, parent=parent)
    try:
        with as_current(started):
            yield started
    except BaseException as error:
        set_error(started, type(error).__name__)
        raise
    finally:
        started.end()


def as_current(chosen: Span) -> AbstractContextManager[Span]:
    """Make a span the current one in this thread, without ending it."""
    return use_span(chosen, record_exception=False, set_status_on_exception=False)


def set_attributes(chosen: Span, attributes: Attributes) -> None:
    """Add attributes to a span."""
    chosen.set_attributes(_known(attributes))


def set_error(chosen: Span, error_type: str) -> None:
    """Mark a span as failed. error_type: of low cardinality, such as a code or an exception's class name."""
    chosen.set_attribute("error.type", error_type)
    chosen.set_status(StatusCode.ERROR)


def continue_trace(traceparent: str) -> AbstractContextManager[Span]:
    """Run the block in a caller's trace; in none if the header is empty or invalid."""
    return as_current(_remote_span(traceparent))


def current_traceparent() -> str:
    """Return the `traceparent` of the current span, empty without a trace."""
    return traceparent_of(get_current_span())


def traceparent_of(chosen: Span) -> str:
    """Return the `traceparent` of a span, empty if it belongs to no trace."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier, set_span_in_context(chosen, Context()))
    return carrier.get(HEADER, "")


def _remote_span(traceparent: str) -> Span:
    """Return the span of a header, INVALID_SPAN for a header that the standard tells receivers to ignore."""
    found = get_current_span(_propagator.extract({HEADER: traceparent.strip()}, Context())).get_span_context()
    if not found.is_valid:
        return INVALID_SPAN
    flags = TraceFlags(found.trace_flags & _KNOWN_FLAGS)
    return NonRecordingSpan(SpanContext(found.trace_id, found.span_id, is_remote=True, trace_flags=flags))


def _known(attributes: Attributes) -> dict[str, str | int | float | bool]:
    return {name: value for name, value in attributes.items() if value is not None}


def preload() -> None:
    """Import the SDK if tracing is on, in a process that forks others and records no spans itself."""
    if settings.RENDEROWL_TRACES_EXPORTER:
        import core.tracing.sdk  # noqa: F401 - half a second once, instead of in each fork


def start(role: str) -> None:
    """Record spans in this process from now on, if tracing is on; repeated calls have no effect.

    role: `web` or `worker`, for the default service name. Starts a thread: call it after the last fork.
    """
    exporter: str = settings.RENDEROWL_TRACES_EXPORTER
    if not exporter:
        return
    with _starting:
        if _provider is None:
            # Imported late, as it takes half a second and 20 MB.
            from core.tracing.sdk import Provider, make_exporter

            install(Provider(make_exporter(exporter), role=role, token=f"{role}-{os.getpid()}"))


def install(provider: Provider | None) -> None:
    """Record spans with a provider, None to record none. OpenTelemetry's global provider is left alone."""
    global _provider, _tracer  # noqa: PLW0603 - one per process
    _provider = provider
    _tracer = NoOpTracer() if provider is None else provider.get_tracer("renderowl", settings.RENDEROWL_VERSION)


def stop() -> None:
    """Send the remaining spans and record no more."""
    provider = _provider
    install(None)
    if provider is not None:
        provider.shutdown()
