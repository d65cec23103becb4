"""Tracing middleware, the outermost: a span per request, continuing the caller's trace."""

from __future__ import annotations

import re
from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from opentelemetry.trace import SpanKind

from core import tracing
from monitoring.performance.routes import UNMATCHED, method_of, route_of

# Frequent and of no interest: their spans would outnumber all others.
_UNTRACED = re.compile(r"^/(live|ready|health|metrics|static)(/|$)")


class TracingMiddleware:
    """Continues the caller's `traceparent`, and records a SERVER span per request if tracing is on.

    Source of the names: OpenTelemetry, semantic conventions for HTTP spans. Path and query are omitted on purpose:
    those of signed links and hooks are secrets.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        # Only server processes load middleware, after the fork.
        tracing.start("web")

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Handle the request in a span, or at least within the caller's trace."""
        header = request.META.get("HTTP_TRACEPARENT", "")
        if tracing.is_enabled() and not _UNTRACED.match(request.path_info):
            return self._serve(request, header)
        if not header:
            return self.get_response(request)
        with tracing.continue_trace(header):
            return self.get_response(request)

    def _serve(self, request: HttpRequest, parent: str) -> HttpResponseBase:
        method = method_of(request)
        attributes: tracing.Attributes = {
            "http.request.method": method if method != "OTHER" else "_OTHER",
            "url.scheme": request.scheme,
        }
        with tracing.span(method, kind=SpanKind.SERVER, attributes=attributes, parent=parent) as span:
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
        """Remember the class of a view's exception for the span; its message goes only to the log."""
        request.failed_with = type(exception).__name__  # type: ignore[attr-defined]
