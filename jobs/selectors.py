"""Reads of the queue that more than one caller wants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min, Q

from jobs.literals import status_is
from jobs.models import Job, QueueState
from jobs.states import JobStatus


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """How much waits in one queue. oldest_ready_at: since when the longest-waiting ready job is due."""

    queue: str
    scheduled: int
    ready: int
    running: int
    oldest_ready_at: datetime | None


def queue_depths() -> list[QueueDepth]:
    """Return the depth of every queue that has anything active, by name."""
    rows = (
        Job.objects.active().order_by().values("queue", "status").annotate(jobs=Count("id"), oldest=Min("scheduled_at"))
    )
    counts: dict[str, dict[str, int]] = {}
    oldest: dict[str, datetime] = {}
    for row in rows:
        counts.setdefault(row["queue"], {})[row["status"]] = row["jobs"]
        if row["status"] == JobStatus.QUEUED:
            oldest[row["queue"]] = row["oldest"]
    return [
        QueueDepth(
            queue=queue,
            scheduled=found.get(JobStatus.SCHEDULED, 0),
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
