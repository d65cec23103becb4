"""Shared queries of the queue: depth and load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Min, Q, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from jobs.expressions import status_is
from jobs.models import Job, QueueState
from jobs.states import JobStatus


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """Active jobs of one queue by status. oldest_ready_at: when the longest-waiting ready job came due."""

    queue: str
    scheduled: int
    blocked: int
    ready: int
    running: int
    oldest_ready_at: datetime | None


def depth_rows() -> Any:
    """Return a queryset of dicts: active jobs by queue and status, with their earliest `scheduled_at`."""
    # Grouped by expressions: for the plain columns SQLite would walk the claim index, which includes finished jobs, to
    # get ordered groups, instead of the small idx_jobs_active.
    rows = Job.objects.active().order_by().values(name=_expression("queue"), state=_expression("status"))
    return rows.annotate(jobs=Count("*"), oldest=Min("scheduled_at"))


def _expression(column: str) -> Coalesce:
    return Coalesce(column, Value(""))


def queue_depths() -> list[QueueDepth]:
    """Return the depth of every queue with active jobs, sorted by name."""
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


@dataclass(frozen=True, slots=True)
class QueueLoad:
    """A queue's demand for workers. claimable: queued jobs that may start now: not paused, below the queue's limit.

    oldest_s: how long the longest-waiting claimable job has been due.
    """

    queue: str
    claimable: int
    running: int
    oldest_s: float


def queue_loads() -> list[QueueLoad]:
    """Return the load of every queue with active jobs, sorted by name."""
    now = timezone.now()
    states = {state.name: state for state in QueueState.objects.all()}
    return [_load_of(depth, states.get(depth.queue), now) for depth in queue_depths()]


def _load_of(depth: QueueDepth, state: QueueState | None, now: datetime) -> QueueLoad:
    claimable = depth.ready
    if state is not None and state.paused:
        claimable = 0
    elif state is not None and state.max_running is not None:
        claimable = min(claimable, max(0, state.max_running - depth.running))
    oldest = depth.oldest_ready_at if claimable else None
    oldest_s = max(0.0, (now - oldest).total_seconds()) if oldest is not None else 0.0
    return QueueLoad(queue=depth.queue, claimable=claimable, running=depth.running, oldest_s=oldest_s)


def has_work(queues: Sequence[str]) -> bool:
    """Return whether these queues have running jobs, or queued ones outside paused queues."""
    paused = set(QueueState.objects.filter(paused=True).values_list("name", flat=True))
    running = status_is(JobStatus.RUNNING) & Q(queue__in=queues)
    ready = status_is(JobStatus.QUEUED) & Q(queue__in=[queue for queue in queues if queue not in paused])
    # One statement: with two, a job claimed in between would be missed by both.
    return Job.objects.filter(running | ready).exists()
