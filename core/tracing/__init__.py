"""Traces: what happens to one request, from the call to the webhook that tells of its end.

Spans are OpenTelemetry's, and so is the context that carries them. Where no OTEL_* variable asks for traces, only its
API is loaded and no span is kept, but the caller's `traceparent` is still followed. Between processes the trace travels
as text, in headers and in the rows of jobs.
"""

from core.tracing.spans import (
    HEADER,
    Attributes,
    begin,
    current_traceparent,
    fail,
    following,
    is_on,
    load,
    note,
    span,
    start,
    stop,
    traceparent_of,
    within,
)

__all__ = [
    "HEADER",
    "Attributes",
    "begin",
    "current_traceparent",
    "fail",
    "following",
    "is_on",
    "load",
    "note",
    "span",
    "start",
    "stop",
    "traceparent_of",
    "within",
]
