"""The job handlers of analytics."""

from __future__ import annotations

from typing import Any

from analytics import services
from jobs.context import JobContext

QUEUE = "maintenance"


def count(context: JobContext) -> dict[str, Any]:
    """Add all events to the figures that are in none yet, in batches."""
    counted = 0
    while batch := services.count_events():
        counted += batch
        context.check()
    return {"counted": counted}
