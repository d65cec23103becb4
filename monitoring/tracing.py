"""The outermost middleware: the span of each request, and the trace that its caller has begun."""

from __future__ import annotations

import re
from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from opentelemetry.trace import SpanKind

from core import tracing
from monitoring.performance.routes import UNMATCHED, method_of, route_of

# Probes come every few seconds and files by the dozen: their spans would be most of all, and tell nothing.
_UNTRACED = re.compile(r"^/(live|ready|health|metrics|static)(/|$)")


class TracingMiddleware:
    """Follow the caller's `traceparent`, and keep a SERVER span for each request where traces are on.

    Source of the names: OpenTelemetry, semantic conventions for HTTP spans. The path is left out on purpose: those of
    signed links and hooks are secrets. So is the query.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        # Only a process that serves loads its middleware, after the server has forked.
        tracing.start("web")

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Serve a request as part of its trace."""
        header = request.META.get("HTTP_TRACEPARENT", "")
        if tracing.is_enabled() and not _UNTRACED.match(request.path_info):
            return self._serve(request, header)
        if not header:
            return self.get_response(request)
        with tracing.continue_trace(header):
            return self.get_response(request)

    def _serve(self, request: HttpRequest, parent: str) -> HttpResponseBase:
        method = method_of(request)
        known: tracing.Attributes = {
            "http.request.method": method if method != "OTHER" else "_OTHER",
            "url.scheme": request.scheme,
        }
        with tracing.span(method, kind=SpanKind.SERVER, attributes=known, parent=parent) as span:
            response = self.get_response(request)
            route = route_of(request)
            if route != UNMATCHED:
                span.update_name(f"{method} {route}")
                tracing.set_attributes(span, {"http.route": route})
            tracing.set_attributes(span, {"http.response.status_code": response.status_code})
            if response.status_code >= 500:
                tracing.set_error(span, getattr(request, "failed_with", "") or str(response.status_code))
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """Note what a view let through; the text of it is for the log."""
        request.failed_with = type(exception).__name__  # type: ignore[attr-defined]
