"""Jobs of monitoring: deprecation notices, samples, merging and alert delivery."""

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


# Hourly, so that the first call of a deprecated endpoint is reported on the same day.
@handler(ANNOUNCE_JOB, timeout_s=900, cron="7 * * * *", schedule="deprecation-notices")
def announce_deprecations(context: JobContext) -> dict[str, Any]:
    """Notify owners of API keys that call deprecated endpoints."""
    notices = services.announce_deprecations(now=lifecycle.now())
    return {"notices": notices, "emails": services.send_deprecation_emails(now=lifecycle.now())}


@handler(SAMPLE_JOB, queue=QUEUE, max_attempts=1, timeout_s=60, cron="* * * * *")
def sample(context: JobContext) -> dict[str, Any]:
    """Store a sample of the queues and the response cache."""
    now = timezone.now()
    sample_cache(now=now)
    return {"queues": sample_queues(now=now)}


@handler(HEALTH_JOB, queue=QUEUE, max_attempts=1, timeout_s=60, cron="* * * * *")
def sample_health(context: JobContext) -> dict[str, Any]:
    """Store the levels of the health checks, for the alert rules."""
    # Imported here: the checks load DNS and Redis libraries, a tenth of the startup time of every process.
    from monitoring.alerting import health_sampling

    return {"not_passing": health_sampling.sample_health(now=timezone.now())}


@handler(MERGE_JOB, queue=QUEUE, max_attempts=1, timeout_s=1800, cron="*/10 * * * *")
def merge(context: JobContext) -> dict[str, Any]:
    """Merge old measurements into longer time spans, one span at a time."""
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
