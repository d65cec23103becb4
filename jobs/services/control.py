"""Control of jobs and queues by staff and other apps: cancel, retry, limit, move, pause."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Case, Value, When
from django.db.models.functions import Now
from django.utils import timezone

from core.audit import record_action
from core.exceptions import InvalidState
from jobs import sql
from jobs.exceptions import JobNotFound
from jobs.expressions import status_in, status_is
from jobs.models import Job, KeyLimit, QueueState
from jobs.notify import notify_workers_on_commit
from jobs.services.hooks import call_on_cancelled
from jobs.snapshot import JobSnapshot
from jobs.states import WAITING, JobStatus

logger = logging.getLogger(__name__)
_STATUS_ON_RETRY = Case(When(limit_key=None, then=Value(JobStatus.QUEUED)), default=Value(JobStatus.BLOCKED))


def cancel_job(*, job_id: uuid.UUID, actor: Any = None) -> Job:
    """Cancel a waiting job, or ask a running one to stop; leave a finished one unchanged.

    actor: the member of staff, for the audit log; None for the owner and for the program itself.
    Returns the job after the call: `status` is `cancelled`, or `cancel_requested_at` is set, or it had finished.
    The handler's `on_cancelled` runs in the transaction that cancels the job. Raises JobNotFound.
    """
    with transaction.atomic():
        waiting = Job.objects.filter(status_in(*WAITING), pk=job_id)
        cancelled = waiting.update(status=JobStatus.CANCELLED, cancel_requested_at=Now(), finished_at=Now())
        is_new = bool(cancelled) or request_cancel(job_id=job_id)
        job = _get(job_id)
        if is_new and actor is not None:
            _record("job.cancelled", job, actor)
        if cancelled:
            if job.limit_key is not None:
                sql.admit(job.limit_key)
            call_on_cancelled(JobSnapshot.of(job))
    return job


def cancel_waiting_jobs(*, job_ids: Sequence[uuid.UUID]) -> int:
    """Cancel the waiting ones among these jobs in one transaction; return how many there were.

    The handlers' `on_cancelled` run in the same transaction, ordered by job id.
    """
    with transaction.atomic():
        # Locks all rows in id order before any hook writes, so that two callers cannot deadlock.
        waiting = Job.objects.select_for_update().filter(status_in(*WAITING), pk__in=job_ids).order_by("pk")
        jobs = list(waiting)
        now = timezone.now()
        cancelled = {"status": JobStatus.CANCELLED, "cancel_requested_at": now, "finished_at": now}
        Job.objects.filter(pk__in=[job.pk for job in jobs]).update(**cancelled)
        for key in sorted({job.limit_key for job in jobs if job.limit_key is not None}):
            sql.admit(key)
        for job in jobs:
            call_on_cancelled(JobSnapshot.of(job))
    return len(jobs)


def request_cancel(*, job_id: uuid.UUID) -> bool:
    """Ask a running job to stop; return whether the request is new. Its worker notices within about a second."""
    running = Job.objects.filter(status_is(JobStatus.RUNNING), pk=job_id, cancel_requested_at=None)
    return running.update(cancel_requested_at=Now()) == 1


def retry_job(*, job_id: uuid.UUID, actor: Any = None) -> Job:
    """Requeue a dead job with its counts of failures reset. actor: as for `cancel_job`.

    Raises JobNotFound; InvalidState if the job is not dead, or another active job has its unique key.
    """
    try:
        with transaction.atomic():
            requeued = Job.objects.filter(status_is(JobStatus.DEAD), pk=job_id).update(
                status=_STATUS_ON_RETRY,
                failures=0,
                lost=0,
                error=None,
                worker="",
                cancel_requested_at=None,
                scheduled_at=Now(),
                queued_at=Now(),
                started_at=None,
                finished_at=None,
            )
            job = _get(job_id)
            if not requeued:
                raise InvalidState(f"The job is {job.status}; only dead jobs can be retried.")
            if job.limit_key is not None:
                sql.admit(job.limit_key)
                job = _get(job_id)
            if actor is not None:
                _record("job.retried", job, actor)
            notify_workers_on_commit()
    except IntegrityError as error:
        raise InvalidState("Another job with the same unique key is active.") from error
    return job


def change_limit(*, limit_key: str, limit_running: int) -> int:
    """Set the limit on the waiting jobs of a key; return how many were blocked. A lower limit stops no running job."""
    with transaction.atomic():
        blocked = Job.objects.filter(status_is(JobStatus.BLOCKED), limit_key=limit_key)
        blocked_count = blocked.update(limit_running=limit_running)
        Job.objects.filter(status_is(JobStatus.SCHEDULED), limit_key=limit_key).update(limit_running=limit_running)
        sql.admit(limit_key)
    return blocked_count


def run_now(*, job_id: uuid.UUID) -> bool:
    """Make a scheduled job due immediately; return False if it was not scheduled."""
    with transaction.atomic():
        moved = Job.objects.filter(status_is(JobStatus.SCHEDULED), pk=job_id).update(scheduled_at=Now())
    return moved == 1


def move_job(*, job_id: uuid.UUID, queue: str) -> bool:
    """Move a scheduled job to another queue; return False if it was not scheduled."""
    return Job.objects.filter(status_is(JobStatus.SCHEDULED), pk=job_id).update(queue=queue) == 1


def set_key_limit(*, limit_key: str, limit_running: int) -> None:
    """Override the limit of a key's jobs in one row, however many are waiting. A lower limit stops no running job."""
    with transaction.atomic():
        KeyLimit.objects.update_or_create(limit_key=limit_key, defaults={"limit_running": limit_running})
        sql.admit(limit_key)


def clear_key_limit(*, limit_key: str) -> None:
    """Remove the override of a key, so that the limits of its jobs apply again."""
    with transaction.atomic():
        KeyLimit.objects.filter(limit_key=limit_key).delete()
        sql.admit(limit_key)


def move_waiting(*, limit_key: str, queue: str) -> int:
    """Move the blocked and queued jobs of a key to another queue; return how many were moved."""
    with transaction.atomic():
        blocked = Job.objects.filter(status_is(JobStatus.BLOCKED), limit_key=limit_key)
        # Both statuses, to match the condition of idx_jobs_limit_key.
        queued = Job.objects.filter(
            status_in(JobStatus.QUEUED, JobStatus.RUNNING), limit_key=limit_key, status=JobStatus.QUEUED
        )
        moved = sum(jobs.exclude(queue=queue).update(queue=queue) for jobs in (blocked, queued))
        notify_workers_on_commit()
    return moved


def pause_queue(*, name: str) -> None:
    """Stop claims from a queue; running jobs continue."""
    with transaction.atomic():
        QueueState.objects.get_or_create(name=name)
        QueueState.objects.filter(name=name, paused=False).update(paused=True, paused_at=Now())
    logger.info("queue paused", extra={"queue": name})


def resume_queue(*, name: str) -> None:
    """Allow claims from a queue again, and wake workers."""
    with transaction.atomic():
        QueueState.objects.filter(name=name, paused=True).update(paused=False, paused_at=None)
        notify_workers_on_commit()
    logger.info("queue resumed", extra={"queue": name})


def set_queue_limit(*, name: str, max_running: int | None) -> None:
    """Limit the running jobs of a queue over all workers; None for no limit."""
    with transaction.atomic():
        QueueState.objects.update_or_create(name=name, defaults={"max_running": max_running})
        notify_workers_on_commit()


def ensure_queues(*, names: Sequence[str]) -> None:
    """Create missing rows for these queues, so that the admin lists them; existing settings are unchanged."""
    missing = [QueueState(name=name) for name in names]
    QueueState.objects.bulk_create(missing, ignore_conflicts=True)


def _record(action: str, job: Job, actor: Any) -> None:
    details = {"type": job.type, "reference": job.reference}
    record_action(action=action, subject=job.public_id, actor=actor, details=details)


def _get(job_id: uuid.UUID) -> Job:
    try:
        return Job.objects.get(pk=job_id)
    except Job.DoesNotExist:
        raise JobNotFound from None
