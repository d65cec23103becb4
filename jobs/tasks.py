"""The queue's own jobs, and those of core."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings

from core.idempotency.services import delete_expired_keys
from jobs import services
from jobs.context import JobContext

MAINTENANCE_QUEUE = "maintenance"


def purge_finished_jobs(context: JobContext) -> dict[str, Any]:
    """Delete finished jobs past their retention, in batches."""
    older_than = timedelta(days=settings.RENDEROWL_JOBS_RETENTION_DAYS)
    deleted = 0
    while batch := services.purge_finished(older_than=older_than):
        deleted += batch
        context.check()
    return {"deleted": deleted}


def forget_workers(context: JobContext) -> dict[str, Any]:
    """Delete workers that have been gone for a day."""
    return {"deleted": services.forget_workers()}


def forget_idempotency_keys(context: JobContext) -> dict[str, Any]:
    """Delete idempotency keys past their retention, in batches."""
    deleted = 0
    while batch := delete_expired_keys():
        deleted += batch
        context.check()
    return {"deleted": deleted}
