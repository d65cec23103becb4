"""Traces: what happens to one request, from the call to the webhook that tells of its end.

Everybody says what they are at with `span`; where no OTEL_* variable asks for traces that keeps nothing, and nothing of
OpenTelemetry is loaded. The trace itself travels as text, in headers and in the rows of jobs, in both cases.
"""

from core.tracing.shapes import Attributes, Kind, Span
from core.tracing.spans import begin, current, is_on, load, span, start, stop, within
from core.tracing.traceparent import HEADER, current_traceparent, following, read_traceparent

__all__ = [
    "HEADER",
    "Attributes",
    "Kind",
    "Span",
    "begin",
    "current",
    "current_traceparent",
    "following",
    "is_on",
    "load",
    "read_traceparent",
    "span",
    "start",
    "stop",
    "within",
]
