"""Jobs that watch over the installation."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from accounts import services
from api import lifecycle
from jobs.context import JobContext
from jobs.registry import PeriodicTask, handler, io_handler, periodic_tasks
from monitoring.alerting import delivery, evaluation, leadership, outbox
from monitoring.performance.downsampling import merge_routes, merge_statements
from monitoring.performance.sampling import sample_cache, sample_queues

ANNOUNCE_JOB = "monitoring.announce_deprecations"
SAMPLE_JOB = "monitoring.sample"
HEALTH_JOB = "monitoring.sample_health"
MERGE_JOB = "monitoring.merge"
QUEUE = "maintenance"


# Every hour, so that a first call is told of on the same day; the dates count in days.
@handler(ANNOUNCE_JOB, timeout_s=900, cron="7 * * * *", schedule="deprecation-notices")
def announce_deprecations(context: JobContext) -> dict[str, Any]:
    """Tell the owners of API keys what will end that they still call."""
    made = services.announce_deprecations(now=lifecycle.now())
    return {"notices": made, "emails": services.send_deprecation_emails(now=lifecycle.now())}


@handler(SAMPLE_JOB, queue=QUEUE, max_attempts=1, timeout_s=60, cron="* * * * *")
def sample(context: JobContext) -> dict[str, Any]:
    """Write how the queues and the cache stand."""
    now = timezone.now()
    sample_cache(now=now)
    return {"queues": sample_queues(now=now)}


@handler(HEALTH_JOB, queue=QUEUE, max_attempts=1, timeout_s=60, cron="* * * * *")
def sample_health(context: JobContext) -> dict[str, Any]:
    """Write what the health checks say, for the rules of alerts."""
    # The checks load the libraries of DNS and Redis: a tenth of the start of processes that mostly run none.
    from monitoring.alerting import health_sampling

    return {"not_passing": health_sampling.sample_health(now=timezone.now())}


@handler(MERGE_JOB, queue=QUEUE, max_attempts=1, timeout_s=1800, cron="*/10 * * * *")
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


io_handler(outbox.SEND_JOB, delivery.DELIVERY_STEPS, queue=outbox.QUEUE, timeout_s=delivery.SEND_TIMEOUT_S)
periodic_tasks.register(PeriodicTask("alerts", evaluation.evaluate_if_due, every_s=leadership.check_interval_s))
