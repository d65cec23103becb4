"""The provider of spans: OpenTelemetry's SDK, sending OTLP over HTTP. Loaded only where traces are wanted.

What the standard's variables say is the SDK's to read: endpoint, headers, time-outs, sampler, limits, sizes of batches,
resource attributes and the name of the service.
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

# A process that stops does not wait longer for a receiver that is not there.
LAST_EXPORT_S = 2.0


class Provider(TracerProvider):
    """The SDK's provider with one exporter, and an end that does not take long."""

    def __init__(self, exporter: SpanExporter, *, role: str, token: str) -> None:
        """token: unlike that of any other process of this machine."""
        super().__init__(resource=_resource(role, token), shutdown_on_exit=False)
        self._exporter = exporter
        self.add_span_processor(BatchSpanProcessor(exporter))
        # Unlike atexit this also runs in processes that multiprocessing started, as the server's are.
        Finalize(None, self.shutdown, exitpriority=4)

    def shutdown(self) -> None:
        """Send what is left, within seconds; what cannot be sent by then is lost."""
        # The SDK waits for half a minute and knows no other time.
        last = threading.Thread(target=super().shutdown, name="last-traces", daemon=True)
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
