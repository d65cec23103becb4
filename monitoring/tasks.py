"""Jobs that watch over the installation."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from accounts import services
from core.api import lifecycle
from jobs.context import JobContext
from monitoring.performance.merging import merge_routes, merge_statements
from monitoring.performance.sampling import sample_cache, sample_queues

ANNOUNCE_JOB = "monitoring.announce_deprecations"
SAMPLE_JOB = "monitoring.sample"
HEALTH_JOB = "monitoring.sample_health"
MERGE_JOB = "monitoring.merge"
QUEUE = "maintenance"


def announce_deprecations(context: JobContext) -> dict[str, Any]:
    """Tell the owners of API keys what will end that they still call."""
    made = services.announce_deprecations(now=lifecycle.now())
    return {"notices": made, "letters": services.send_due_notices(now=lifecycle.now())}


def sample(context: JobContext) -> dict[str, Any]:
    """Write how the queues and the cache stand."""
    now = timezone.now()
    sample_cache(now=now)
    return {"queues": sample_queues(now=now)}


def sample_health(context: JobContext) -> dict[str, Any]:
    """Write what the health checks say, for the rules of alerts."""
    # The checks load the libraries of DNS and Redis: a tenth of the start of processes that mostly run none.
    from monitoring.alerting import health_sampling

    return {"not_passing": health_sampling.sample_health(now=timezone.now())}


def merge(context: JobContext) -> dict[str, Any]:
    """Merge old measurements into longer spans, a span at a time."""
    now = timezone.now()
    routes = statements = 0
    while batch := merge_routes(now=now):
        routes += batch
        context.check()
    while batch := merge_statements(now=now):
        statements += batch
        context.check()
    return {"routes": routes, "statements": statements}
