"""Job handlers of analytics."""

from __future__ import annotations

from typing import Any

from analytics import services
from jobs.context import JobContext
from jobs.registry import handler

QUEUE = "maintenance"
AGGREGATE_JOB = "analytics.aggregate"


# Reads add uncounted events themselves: the schedule bounds their cost and does not affect their results.
@handler(AGGREGATE_JOB, queue=QUEUE, max_attempts=1, timeout_s=600, cron="*/5 * * * *", schedule="analytics-aggregate")
def count(context: JobContext) -> dict[str, Any]:
    """Add all uncounted events to the stats, in batches."""
    counted = 0
    while batch := services.aggregate_events():
        counted += batch
        context.check()
    return {"counted": counted}
