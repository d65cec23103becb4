"""What people and other apps do to jobs and queues: cancel, retry, pause."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence

from django.db import IntegrityError, transaction
from django.db.models import Case, Value, When
from django.db.models.functions import Now

from core.exceptions import InvalidState
from jobs.exceptions import JobNotFound
from jobs.literals import status_in, status_is
from jobs.models import Job, QueueState
from jobs.services.hooks import tell_cancelled
from jobs.snapshot import JobSnapshot
from jobs.sql import run as sql
from jobs.states import WAITING, JobStatus
from jobs.wake import wake_workers_on_commit

logger = logging.getLogger(__name__)
_WAITING_ANEW = Case(When(limit_key=None, then=Value(JobStatus.QUEUED)), default=Value(JobStatus.BLOCKED))


def cancel_job(*, job_id: uuid.UUID) -> Job:
    """Cancel a waiting job at once, ask a running one to stop; leave a finished one as it is.

    Returns the job as it is then: `status` is `cancelled`, or `cancel_requested_at` is set, or it was too late.
    The handler's `on_cancelled` is told in the transaction in which the job becomes cancelled.
    Raises JobNotFound.
    """
    with transaction.atomic():
        waiting = Job.objects.filter(status_in(*WAITING), pk=job_id)
        cancelled = waiting.update(status=JobStatus.CANCELLED, cancel_requested_at=Now(), finished_at=Now())
        if not cancelled:
            request_cancel(job_id=job_id)
        job = _get(job_id)
        if cancelled:
            if job.limit_key is not None:
                sql.admit(job.limit_key)
            tell_cancelled(JobSnapshot.of(job))
    return job


def request_cancel(*, job_id: uuid.UUID) -> bool:
    """Ask a running job to stop; say whether the request is new. Its worker notices within about a second."""
    running = Job.objects.filter(status_is(JobStatus.RUNNING), pk=job_id, cancel_requested_at=None)
    return running.update(cancel_requested_at=Now()) == 1


def retry_job(*, job_id: uuid.UUID) -> Job:
    """Queue a dead job again with all its attempts to spend.

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
            wake_workers_on_commit()
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
        wake_workers_on_commit()
    logger.info("queue resumed", extra={"queue": name})


def set_queue_limit(*, name: str, max_running: int | None) -> None:
    """Bound how many jobs of a queue run at a time, over all workers; None for no bound."""
    with transaction.atomic():
        QueueState.objects.update_or_create(name=name, defaults={"max_running": max_running})
        wake_workers_on_commit()


def show_queues(*, names: Sequence[str]) -> None:
    """Make sure that staff see these queues in their list; what was decided about them stays."""
    missing = [QueueState(name=name) for name in names]
    QueueState.objects.bulk_create(missing, ignore_conflicts=True)


def _get(job_id: uuid.UUID) -> Job:
    try:
        return Job.objects.get(pk=job_id)
    except Job.DoesNotExist:
        raise JobNotFound from None
