"""The outermost middleware: how long each request took, told to the client and to the monitor."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from core.request_timings import RequestTimings, current
from monitoring.performance import sql
from monitoring.performance.aggregator import RequestObservation
from monitoring.performance.monitor import monitor
from monitoring.performance.routes import method_of, route_of

logger = logging.getLogger(__name__)
_now = time.perf_counter_ns


class PerformanceMiddleware:
    """Measure every request. What `Server-Timing` says and what is counted are the same number of microseconds."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self._slow_us = settings.RENDEROWL_SLOW_REQUEST_MS * 1000
        # Only a process that serves loads its middleware; commands and workers are left alone.
        sql.install()
        monitor.start()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Serve a request and observe it."""
        timings, began = RequestTimings(), _now()
        token = current.set(timings)
        try:
            response = self.get_response(request)
        finally:
            current.reset(token)
        took_us = max(0, _now() - began - timings.waited_ns) // 1000
        response.headers["Server-Timing"] = f"app;dur={took_us // 1000}.{took_us % 1000:03d}"
        seen = RequestObservation(
            route=route_of(request),
            method=method_of(request),
            status=response.status_code,
            took_us=took_us,
            size_bytes=int(response.headers.get("Content-Length", 0)),
            cache=response.headers.get("X-Cache", ""),
            request_id=getattr(request, "request_id", ""),
            timings=timings,
        )
        is_slow = took_us > self._slow_us
        monitor.observe(seen, is_slow=is_slow)
        if is_slow:
            _warn_of_slow(request, seen)
        return response


def _warn_of_slow(request: HttpRequest, seen: RequestObservation) -> None:
    """Log a slow request: its pattern and its id, never its path or query, which may hold secrets."""
    logger.warning(
        "slow request: %s %s took %.0f ms, %.0f ms of it in %d statements",
        seen.method,
        seen.route,
        seen.took_us / 1000,
        seen.timings.sql_ns / 1e6,
        seen.timings.queries,
        extra={
            "action": "slow_request",
            "route": seen.route,
            "method": seen.method,
            "status": seen.status,
            "ms": seen.took_us / 1000,
            # The filter of the log takes the request's id from here: its context has ended.
            "request": request,
        },
    )
