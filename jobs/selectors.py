"""Reads of the queue that more than one caller wants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Min, Q, Value
from django.db.models.functions import Coalesce

from jobs.literals import status_is
from jobs.models import Job, QueueState
from jobs.states import JobStatus


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """How much waits in one queue. oldest_ready_at: since when the longest-waiting ready job is due."""

    queue: str
    scheduled: int
    blocked: int
    ready: int
    running: int
    oldest_ready_at: datetime | None


def depth_rows() -> Any:
    """Count the active jobs by queue and status, with the earliest time among them; a queryset of dicts."""
    # Grouped by expressions: grouped by the columns, SQLite would walk the whole claim index, finished jobs and all, to
    # have the groups in order, and not the small idx_jobs_active.
    rows = Job.objects.active().order_by().values(name=_expression("queue"), state=_expression("status"))
    return rows.annotate(jobs=Count("*"), oldest=Min("scheduled_at"))


def _expression(column: str) -> Coalesce:
    """Return a column as an expression of the same value."""
    return Coalesce(column, Value(""))


def queue_depths() -> list[QueueDepth]:
    """Return the depth of every queue that has anything active, by name."""
    counts: dict[str, dict[str, int]] = {}
    oldest: dict[str, datetime] = {}
    for row in depth_rows():
        counts.setdefault(row["name"], {})[row["state"]] = row["jobs"]
        if row["state"] == JobStatus.QUEUED:
            oldest[row["name"]] = row["oldest"]
    return [
        QueueDepth(
            queue=queue,
            scheduled=found.get(JobStatus.SCHEDULED, 0),
            blocked=found.get(JobStatus.BLOCKED, 0),
            ready=found.get(JobStatus.QUEUED, 0),
            running=found.get(JobStatus.RUNNING, 0),
            oldest_ready_at=oldest.get(queue),
        )
        for queue, found in sorted(counts.items())
    ]


def has_work(queues: Sequence[str]) -> bool:
    """Say whether anything is ready or running in these queues; what waits in a paused one is not ready."""
    paused = set(QueueState.objects.filter(paused=True).values_list("name", flat=True))
    running = status_is(JobStatus.RUNNING) & Q(queue__in=queues)
    ready = status_is(JobStatus.QUEUED) & Q(queue__in=[queue for queue in queues if queue not in paused])
    # In one statement: a job that is claimed between two would be seen by neither.
    return Job.objects.filter(running | ready).exists()


def find_active_job(*, unique_key: str) -> Job | None:
    """Return the job with this key that still waits or runs."""
    return Job.objects.active().filter(unique_key=unique_key).first()
