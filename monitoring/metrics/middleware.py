"""django-prometheus around every request, with names that clients cannot make up."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.http import HttpRequest
from django_prometheus.middleware import Metrics, PrometheusAfterMiddleware, PrometheusBeforeMiddleware

from core import counters
from core.caching import answers
from core.front.served import Served, observe_served
from core.ratelimit import limiter
from monitoring.metrics.counters import export, predeclare
from monitoring.performance.routes import method_of

__all__ = ["MetricsAfterMiddleware", "MetricsBeforeMiddleware", "count_served"]
PREDECLARED = (
    limiter.ERRORS,
    answers.ERRORS,
    "renderowl_worker_reports_duplicate_total",
    "renderowl_worker_reports_ignored_total",
    "renderowl_performance_lost_requests_total",
)


class MetricsBeforeMiddleware(PrometheusBeforeMiddleware):
    """Counts what comes in, also what is refused early."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Only a process that serves loads its middleware.
        for name in PREDECLARED:
            predeclare(name)
        counters.followers.register(export)
        observe_served(count_served)


class MetricsAfterMiddleware(PrometheusAfterMiddleware):
    """Counts by view. The package takes over any method that a client writes, which would be a series each."""

    def label_metric(self, metric: Any, request: HttpRequest, response: Any = None, **labels: Any) -> Any:
        """Return the child of a metric, unknown methods under one name."""
        if "method" in labels:
            labels["method"] = method_of(request)
        return super().label_metric(metric, request, response, **labels)


def count_served(served: Served) -> None:
    """Count what was answered at the front door: in all, by status, by view, and by its time."""
    for counter in _counters(served.view, served.method, served.status):
        counter.inc()
    _metrics().requests_latency_before.observe(served.took_us / 1e6)


@lru_cache(maxsize=1)
def _metrics() -> Any:
    return Metrics.get_instance()


# Views and methods are few.
@lru_cache(maxsize=1024)
def _counters(view: str, method: str, status: int) -> tuple[Any, ...]:
    """Return what an answer adds one to, as in the middleware of django-prometheus."""
    metrics = _metrics()
    text = str(status)
    return (
        metrics.requests_total,
        metrics.responses_total,
        metrics.responses_by_status.labels(status=text),
        metrics.responses_by_status_view_method.labels(status=text, view=view, method=method),
    )
