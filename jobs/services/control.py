"""What people and other apps do to jobs and queues: cancel, retry, pause."""

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
_WAITING_ANEW = Case(When(limit_key=None, then=Value(JobStatus.QUEUED)), default=Value(JobStatus.BLOCKED))


def cancel_job(*, job_id: uuid.UUID, actor: Any = None) -> Job:
    """Cancel a waiting job at once, ask a running one to stop; leave a finished one as it is.

    actor: the member of staff who decided it, for the audit; None for the program, and for an owner's own wish.
    Returns the job as it is then: `status` is `cancelled`, or `cancel_requested_at` is set, or it was too late.
    The handler's `on_cancelled` is told in the transaction in which the job becomes cancelled.
    Raises JobNotFound.
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
    """Cancel those of many jobs that wait, in one transaction; return how many did. Others are left as they are.

    The handlers' `on_cancelled` are told in the same transaction, in the order of the jobs' ids.
    """
    with transaction.atomic():
        # All rows are locked before any hook writes, so that no two callers can wait for each other.
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
    """Ask a running job to stop; say whether the request is new. Its worker notices within about a second."""
    running = Job.objects.filter(status_is(JobStatus.RUNNING), pk=job_id, cancel_requested_at=None)
    return running.update(cancel_requested_at=Now()) == 1


def retry_job(*, job_id: uuid.UUID, actor: Any = None) -> Job:
    """Queue a dead job again with all its attempts to spend. actor: as for `cancel_job`.

    Raises JobNotFound; InvalidState if the job is not dead, or a newer one has its unique key.
    """
    try:
        with transaction.atomic():
            revived = Job.objects.filter(status_is(JobStatus.DEAD), pk=job_id).update(
                status=_WAITING_ANEW,
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
            if not revived:
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
    """Change how many jobs of a key may be at work, for those that wait already; return how many waited.

    A smaller limit stops nothing: it lets no more begin.
    """
    with transaction.atomic():
        waiting = Job.objects.filter(status_is(JobStatus.BLOCKED), limit_key=limit_key)
        waiting_count = waiting.update(limit_running=limit_running)
        Job.objects.filter(status_is(JobStatus.SCHEDULED), limit_key=limit_key).update(limit_running=limit_running)
        sql.admit(limit_key)
    return waiting_count


def run_now(*, job_id: uuid.UUID) -> bool:
    """Let a job that waits for its time wait no longer; return whether it did wait."""
    with transaction.atomic():
        moved = Job.objects.filter(status_is(JobStatus.SCHEDULED), pk=job_id).update(scheduled_at=Now())
    return moved == 1


def move_job(*, job_id: uuid.UUID, queue: str) -> bool:
    """Put a job that waits for its time into another queue; return whether it did wait."""
    return Job.objects.filter(status_is(JobStatus.SCHEDULED), pk=job_id).update(queue=queue) == 1


def set_key_limit(*, limit_key: str, limit_running: int) -> None:
    """Let this many jobs of a key be at work from now on, whatever the jobs themselves say: one row, however many wait.

    A smaller limit stops nothing: it lets no more begin.
    """
    with transaction.atomic():
        KeyLimit.objects.update_or_create(limit_key=limit_key, defaults={"limit_running": limit_running})
        sql.admit(limit_key)


def clear_key_limit(*, limit_key: str) -> None:
    """Let the jobs of a key say again how many of them may be at work."""
    with transaction.atomic():
        KeyLimit.objects.filter(limit_key=limit_key).delete()
        sql.admit(limit_key)


def move_waiting(*, limit_key: str, queue: str) -> int:
    """Put the jobs of a key that are due, but not begun, into another queue; return how many."""
    with transaction.atomic():
        waiting = Job.objects.filter(status_is(JobStatus.BLOCKED), limit_key=limit_key)
        # Both states, as the condition of idx_jobs_limit_key names them.
        ready = Job.objects.filter(
            status_in(JobStatus.QUEUED, JobStatus.RUNNING), limit_key=limit_key, status=JobStatus.QUEUED
        )
        moved = sum(jobs.exclude(queue=queue).update(queue=queue) for jobs in (waiting, ready))
        notify_workers_on_commit()
    return moved


def pause_queue(*, name: str) -> None:
    """Let no worker claim from a queue; what runs goes on."""
    with transaction.atomic():
        QueueState.objects.get_or_create(name=name)
        QueueState.objects.filter(name=name, paused=False).update(paused=True, paused_at=Now())
    logger.info("queue paused", extra={"queue": name})


def resume_queue(*, name: str) -> None:
    """Let workers claim from a queue again."""
    with transaction.atomic():
        QueueState.objects.filter(name=name, paused=True).update(paused=False, paused_at=None)
        notify_workers_on_commit()
    logger.info("queue resumed", extra={"queue": name})


def set_queue_limit(*, name: str, max_running: int | None) -> None:
    """Bound how many jobs of a queue run at a time, over all workers; None for no bound."""
    with transaction.atomic():
        QueueState.objects.update_or_create(name=name, defaults={"max_running": max_running})
        notify_workers_on_commit()


def ensure_queues(*, names: Sequence[str]) -> None:
    """Make sure that staff see these queues in their list; what was decided about them stays."""
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
