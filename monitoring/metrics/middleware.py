"""Middleware of django-prometheus with a bounded set of HTTP methods."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django_prometheus.middleware import PrometheusAfterMiddleware

from api.ratelimit import limiter
from api.response_cache import cache
from core import counters
from monitoring.metrics.counters import export, predeclare
from monitoring.performance.routes import method_of

PREDECLARED = (
    limiter.ERRORS,
    cache.ERRORS,
    "renderowl_worker_reports_duplicate_total",
    "renderowl_worker_reports_ignored_total",
    "renderowl_performance_lost_requests_total",
)


class BoundedPrometheusAfterMiddleware(PrometheusAfterMiddleware):
    """Counts requests by view. The package would create a series for any method that a client sends."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Only server processes load middleware.
        for name in PREDECLARED:
            predeclare(name)
        counters.counter_observers.register(export)

    def label_metric(self, metric: Any, request: HttpRequest, response: Any = None, **labels: Any) -> Any:
        """Return the labelled metric, with one label for all unknown methods."""
        if "method" in labels:
            labels["method"] = method_of(request)
        return super().label_metric(metric, request, response, **labels)
