"""Enqueueing of jobs, one or many, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from core.context import request_id
from jobs import sql
from jobs.expressions import status_in
from jobs.models import Job
from jobs.notify import notify_workers_on_commit
from jobs.registry import get_handler
from jobs.states import JobPriority, JobStatus
from jobs.tracing import producer_spans

BATCH = 500


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job for `enqueue_many`; the fields are the parameters of `enqueue`."""

    type: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    queue: str | None = None
    priority: JobPriority = JobPriority.NORMAL
    run_at: datetime | None = None
    user_id: Any = None
    reference: str = ""
    max_attempts: int | None = None
    timeout_s: int | None = None
    traceparent: str = ""
    limit_key: str | None = None
    limit_running: int | None = None


def enqueue(
    *,
    type: str,  # noqa: A002 - the name of the model's field
    payload: Mapping[str, Any] | None = None,
    queue: str | None = None,
    priority: JobPriority = JobPriority.NORMAL,
    run_at: datetime | None = None,
    user_id: Any = None,
    reference: str = "",
    unique_key: str | None = None,
    max_attempts: int | None = None,
    timeout_s: int | None = None,
    traceparent: str = "",
    limit_key: str | None = None,
    limit_running: int | None = None,
) -> Job:
    """Insert a job in the caller's transaction, and wake workers when it commits.

    queue, max_attempts, timeout_s: default to those of the type's handler. run_at: the earliest start.
    reference: opaque text of the caller, such as `render:<uuid>`.
    limit_key, limit_running: at most `limit_running` jobs with this key are queued or running at a time.
    unique_key: if an unfinished job has this key, it is returned and nothing is written.
    traceparent: the parent of its spans, by default the current span. Raises UnknownJobType.
    """
    new = NewJob(
        type=type,
        payload=payload or {},
        queue=queue,
        priority=priority,
        run_at=run_at,
        user_id=user_id,
        reference=reference,
        max_attempts=max_attempts,
        timeout_s=timeout_s,
        traceparent=traceparent,
        limit_key=limit_key,
        limit_running=limit_running,
    )
    job = _build(new, timezone.now())
    with producer_spans([job]), transaction.atomic():
        if unique_key is None:
            job.save(force_insert=True)
        else:
            job.unique_key = unique_key
            job = _insert_unless_active(job)
        _admit([job])
        notify_workers_on_commit()
    return job


def enqueue_many(*, jobs: Sequence[NewJob]) -> list[Job]:
    """Insert many jobs in the caller's transaction, all or none. Raises UnknownJobType."""
    now = timezone.now()
    rows = [_build(new, now) for new in jobs]
    with producer_spans(rows), transaction.atomic():
        Job.objects.bulk_create(rows, batch_size=BATCH)
        _admit(rows)
        notify_workers_on_commit()
    return rows


def _build(new: NewJob, now: datetime) -> Job:
    handler = get_handler(new.type)
    is_later = new.run_at is not None and new.run_at > now
    due = JobStatus.QUEUED if new.limit_key is None else JobStatus.BLOCKED
    status = JobStatus.SCHEDULED if is_later else due
    current_request = request_id.get()
    return Job(
        type=new.type,
        payload=dict(new.payload),
        queue=new.queue or handler.queue,
        priority=new.priority,
        status=status,
        scheduled_at=new.run_at or now,
        queued_at=now if status == JobStatus.QUEUED else None,
        user_id=new.user_id,
        reference=new.reference,
        max_attempts=new.max_attempts or handler.max_attempts,
        timeout_s=new.timeout_s or handler.timeout_s,
        traceparent=new.traceparent,
        limit_key=new.limit_key,
        limit_running=new.limit_running,
        request_id="" if current_request == "-" else current_request,
    )


def _admit(rows: Sequence[Job]) -> None:
    """Admit jobs of the new rows' keys, and update the rows that are queued now."""
    blocked = {job.pk: job for job in rows if job.status == JobStatus.BLOCKED}
    if not blocked:
        return
    most_urgent: dict[str, int] = {}
    for job in blocked.values():
        assert job.limit_key is not None
        most_urgent[job.limit_key] = min(job.priority, most_urgent.get(job.limit_key, job.priority))
    for key, priority in most_urgent.items():
        sql.demote(key, priority)
        sql.admit(key)
    # Both statuses match the condition of idx_jobs_limit_key; a new job cannot run before the commit.
    admitted = Job.objects.filter(status_in(JobStatus.QUEUED, JobStatus.RUNNING), limit_key__in=most_urgent)
    for pk, queued_at in admitted.values_list("pk", "queued_at"):
        if pk in blocked:
            blocked[pk].status, blocked[pk].queued_at = JobStatus.QUEUED, queued_at


def _insert_unless_active(job: Job) -> Job:
    """Return the active job with the same unique key, or insert this one."""
    while True:
        existing = Job.objects.active().filter(unique_key=job.unique_key).first()
        if existing is not None:
            return existing
        try:
            with transaction.atomic():
                job.save(force_insert=True)
        except IntegrityError:
            # Retry only if another transaction inserted the key; any other cause would loop for ever.
            if not Job.objects.active().filter(unique_key=job.unique_key).exists():
                raise
        else:
            return job
