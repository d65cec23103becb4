"""Put work into the queue."""

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
    """One job for `enqueue_many`; the fields mean what they mean in `enqueue`."""

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
    type: str,  # noqa: A002 - the job's type, as everywhere
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
    """Write a job in the caller's transaction: it exists if and only if that commits.

    queue, max_attempts, timeout_s: by default what the type's handler says. run_at: not before this time.
    reference: opaque text of the caller, such as `render:<uuid>`.
    limit_key, limit_running: of all jobs with this key no more than so many are queued or running at a time.
    unique_key: while a job with this key waits or runs, that one is returned and nothing is written.
    traceparent: the place in a trace, by default that of the work in progress.
    Raises UnknownJobType.
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
    """Write many jobs at once, in the caller's transaction.

    Raises UnknownJobType, and then writes none.
    """
    now = timezone.now()
    rows = [_build(new, now) for new in jobs]
    with producer_spans(rows), transaction.atomic():
        Job.objects.bulk_create(rows, batch_size=BATCH)
        _admit(rows)
        notify_workers_on_commit()
    return rows


def _build(new: NewJob, now: datetime) -> Job:
    handler = get_handler(new.type)
    waits = new.run_at is not None and new.run_at > now
    due = JobStatus.QUEUED if new.limit_key is None else JobStatus.BLOCKED
    status = JobStatus.SCHEDULED if waits else due
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
    """Queue the best of the new jobs' keys, and note on the rows which of them are queued now."""
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
    # The condition as idx_jobs_limit_key states it; a new job cannot run before it is committed.
    at_work = Job.objects.filter(status_in(JobStatus.QUEUED, JobStatus.RUNNING), limit_key__in=most_urgent)
    for pk, queued_at in at_work.values_list("pk", "queued_at"):
        if pk in blocked:
            blocked[pk].status, blocked[pk].queued_at = JobStatus.QUEUED, queued_at


def _insert_unless_active(job: Job) -> Job:
    """Return the active job with the same key, or this one, now written."""
    while True:
        existing = Job.objects.active().filter(unique_key=job.unique_key).first()
        if existing is not None:
            return existing
        try:
            with transaction.atomic():
                job.save(force_insert=True)
        except IntegrityError:
            # Somebody was quicker. Another cause of the error would come back for ever, so it must be this one.
            if not Job.objects.active().filter(unique_key=job.unique_key).exists():
                raise
        else:
            return job
