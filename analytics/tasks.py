"""The job handlers of analytics."""

from __future__ import annotations

from typing import Any

from analytics import services
from jobs.context import JobContext
from jobs.registry import handler

QUEUE = "maintenance"

COUNT_JOB = "analytics.count"


# Answers add what is not counted yet, so that the clock bounds their cost, not their truth.
@handler(COUNT_JOB, queue=QUEUE, max_attempts=1, timeout_s=600, cron="*/5 * * * *", schedule="analytics-count")
def count(context: JobContext) -> dict[str, Any]:
    """Add all events to the stats that are in none yet, in batches."""
    counted = 0
    while batch := services.aggregate_events():
        counted += batch
        context.check()
    return {"counted": counted}
