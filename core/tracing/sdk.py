"""Span provider: OpenTelemetry's SDK with OTLP over HTTP. Imported only if tracing is on.

The SDK itself reads the standard's variables: endpoint, headers, timeouts, sampler, limits, batch sizes, resource
attributes and service name.
"""

from __future__ import annotations

import socket
import threading
from multiprocessing.util import Finalize

from django.conf import settings
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.util.re import parse_env_headers

# A stopping process does not wait longer for an unreachable receiver.
LAST_EXPORT_S = 2.0


class Provider(TracerProvider):
    """The SDK's provider with one exporter and a bounded shutdown."""

    def __init__(self, exporter: SpanExporter, *, role: str, token: str) -> None:
        """token: unique among the processes of this machine."""
        super().__init__(resource=_resource(role, token), shutdown_on_exit=False)
        self._exporter = exporter
        self.add_span_processor(BatchSpanProcessor(exporter))
        # Unlike atexit this also runs in processes that multiprocessing started, such as the server's.
        Finalize(None, self.shutdown, exitpriority=4)

    def shutdown(self) -> None:
        """Send the remaining spans within LAST_EXPORT_S; the rest is lost."""
        # The SDK's own timeout is half a minute and cannot be configured.
        last = threading.Thread(target=super().shutdown, name="last-traces", daemon=True)
        last.start()
        last.join(LAST_EXPORT_S)
        if last.is_alive():
            self._exporter.shutdown()


def make_exporter(name: str) -> SpanExporter:
    """Return the span exporter. name: `otlp` or `console`, as in OTEL_TRACES_EXPORTER."""
    if name == "console":
        return ConsoleSpanExporter()
    return OTLPSpanExporter(headers=parse_env_headers(settings.RENDEROWL_OTLP_HEADERS, liberal=True))


def _resource(role: str, token: str) -> Resource:
    """Return the resource attributes of this process; those in the environment take precedence."""
    defaults = {
        "service.name": f"renderowl-{role}",
        "service.version": settings.RENDEROWL_VERSION,
        "service.instance.id": f"{socket.gethostname()}-{token}",
        "host.name": socket.gethostname(),
    }
    configured = OTELResourceDetector().detect().attributes
    return Resource.create({name: value for name, value in defaults.items() if name not in configured})
