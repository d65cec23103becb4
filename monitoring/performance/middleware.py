"""Performance middleware: times each request for the client and the monitor."""

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
    """Times every request. `Server-Timing` and the monitor report the same number of microseconds."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self._slow_us = settings.RENDEROWL_SLOW_REQUEST_MS * 1000
        # Only server processes load middleware; commands and workers are not measured.
        sql.install()
        monitor.start()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Handle a request and record its timings."""
        timings, began = RequestTimings(), _now()
        token = current.set(timings)
        try:
            response = self.get_response(request)
        finally:
            current.reset(token)
        took_us = max(0, _now() - began - timings.waited_ns) // 1000
        response.headers["Server-Timing"] = f"app;dur={took_us // 1000}.{took_us % 1000:03d}"
        observation = RequestObservation(
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
        monitor.observe(observation, is_slow=is_slow)
        if is_slow:
            _log_slow_request(request, observation)
        return response


def _log_slow_request(request: HttpRequest, observation: RequestObservation) -> None:
    """Log route and request id, never path or query, which may hold secrets."""
    logger.warning(
        "slow request: %s %s took %.0f ms, %.0f ms of it in %d statements",
        observation.method,
        observation.route,
        observation.took_us / 1000,
        observation.timings.sql_ns / 1e6,
        observation.timings.queries,
        extra={
            "action": "slow_request",
            "route": observation.route,
            "method": observation.method,
            "status": observation.status,
            "ms": observation.took_us / 1000,
            # The log filter takes the request id from here, as its context variable is already reset.
            "request": request,
        },
    )
