"""Maintenance jobs of the queue and of core."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.utils import timezone

from core.cache_tags.versions import compact_tag_increments
from core.retention import retentions
from jobs.context import JobContext
from jobs.registry import handler
from jobs.retention import MAINTENANCE_QUEUE

__all__ = ["MAINTENANCE_QUEUE", "compact_cache_tags", "delete_old_rows"]


@handler("core.delete_old_rows", queue=MAINTENANCE_QUEUE, timeout_s=3600, cron="37 * * * *")
def delete_old_rows(context: JobContext) -> dict[str, Any]:
    """Delete rows past their retention from all tables, in batches; return the count of each policy."""
    now = timezone.now()
    deleted: dict[str, Any] = {}
    for retention in retentions.by_name():
        count = 0
        while batch := retention.delete_batch(now):
            count += batch
            context.check()
        deleted[retention.name] = count
    return deleted


# Only PostgreSQL collects increments in rows of their own.
_COMPACT_CRON = "* * * * *" if connection.vendor == "postgresql" else ""


@handler("core.compact_tags", queue=MAINTENANCE_QUEUE, cron=_COMPACT_CRON)
def compact_cache_tags(context: JobContext) -> dict[str, Any]:
    """Fold recorded increments into the versions of cache tags, in batches."""
    compacted = 0
    while batch := compact_tag_increments():
        compacted += batch
        context.check()
    return {"compacted": compacted}
