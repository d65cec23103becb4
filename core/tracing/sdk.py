"""Spans kept by the SDK of OpenTelemetry and sent as OTLP over HTTP. Loaded only where traces are wanted.

What the standard's variables say is the SDK's to read: endpoint, headers, time-outs, sampler, limits, sizes of batches,
resource attributes and the name of the service.
"""

from __future__ import annotations

import socket
import threading
from multiprocessing.util import Finalize

from django.conf import settings
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.trace import Span as SdkSpan
from opentelemetry.util.re import parse_env_headers

from core.tracing.shapes import Attributes, Kind, Span
from core.tracing.traceparent import Place, parse

# A process that stops does not wait longer for a receiver that is not there.
LAST_EXPORT_S = 2.0
_KINDS = {
    Kind.INTERNAL: SpanKind.INTERNAL,
    Kind.SERVER: SpanKind.SERVER,
    Kind.CLIENT: SpanKind.CLIENT,
    Kind.PRODUCER: SpanKind.PRODUCER,
    Kind.CONSUMER: SpanKind.CONSUMER,
}


class KeptSpan(Span):
    """A span of the SDK."""

    __slots__ = ("_span", "_traceparent")

    def __init__(self, kept: SdkSpan) -> None:
        self._span = kept
        found = kept.get_span_context()
        self._traceparent = str(Place(f"{found.trace_id:032x}", f"{found.span_id:016x}", int(found.trace_flags)))

    @property
    def traceparent(self) -> str:
        """Return its place as text."""
        return self._traceparent

    def set(self, attributes: Attributes) -> None:
        """Note more of it."""
        for name, value in attributes.items():
            if value is not None:
                self._span.set_attribute(name, value)

    def rename(self, name: str) -> None:
        """Give it another name."""
        self._span.update_name(name)

    def fail(self, error_type: str) -> None:
        """Mark it as failed."""
        self._span.set_attribute("error.type", error_type)
        self._span.set_status(Status(StatusCode.ERROR))

    def end(self) -> None:
        """End it."""
        self._span.end()


class SdkBackend:
    """A provider of spans of this process's own: what other code does with the global one is its own affair."""

    def __init__(self, exporter: SpanExporter, *, role: str, token: str) -> None:
        """token: unlike that of any other process of this machine."""
        self._exporter = exporter
        self._provider = TracerProvider(resource=_resource(role, token), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("renderowl", settings.RENDEROWL_VERSION)
        # Unlike atexit this also runs in processes that multiprocessing started, as the server's are.
        Finalize(None, self.stop, exitpriority=4)

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
        """Return a new span."""
        above, linked = _context_of(parent, is_remote=is_remote), _context_of(link, is_remote=True)
        kept = self._tracer.start_span(
            name,
            # Never the SDK's own idea of what is going on.
            context=set_span_in_context(NonRecordingSpan(above), Context()) if above else Context(),
            kind=_KINDS[kind],
            attributes={key: value for key, value in attributes.items() if value is not None},
            links=[Link(linked)] if linked else None,
            start_time=began_ns,
            record_exception=False,
            set_status_on_exception=False,
        )
        return KeptSpan(kept)

    def stop(self) -> None:
        """Send what is left, within seconds; what cannot be sent by then is lost."""
        # The SDK waits for half a minute and knows no other time.
        last = threading.Thread(target=self._provider.shutdown, name="last-traces", daemon=True)
        last.start()
        last.join(LAST_EXPORT_S)
        if last.is_alive():
            self._exporter.shutdown()


def make_exporter(name: str) -> SpanExporter:
    """Return what sends spans away. name: `otlp` or `console`, as OTEL_TRACES_EXPORTER has it."""
    if name == "console":
        return ConsoleSpanExporter()
    return OTLPSpanExporter(headers=parse_env_headers(settings.RENDEROWL_OTLP_HEADERS, liberal=True))


def _resource(role: str, token: str) -> Resource:
    """Return what the spans say of this process; what the environment says of it wins."""
    ours = {
        "service.name": f"renderowl-{role}",
        "service.version": settings.RENDEROWL_VERSION,
        "service.instance.id": f"{socket.gethostname()}-{token}",
        "host.name": socket.gethostname(),
    }
    given = OTELResourceDetector().detect().attributes
    return Resource.create({name: value for name, value in ours.items() if name not in given})


def _context_of(text: str, *, is_remote: bool) -> SpanContext | None:
    place = parse(text)
    if place is None:
        return None
    flags = TraceFlags(place.flags)
    return SpanContext(int(place.trace_id, 16), int(place.span_id, 16), is_remote=is_remote, trace_flags=flags)
