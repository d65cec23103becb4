"""How an attempt ends: one fenced transaction each, in which the job's handler is told.

All of these raise LeaseLost, and change nothing, where the job belongs to another attempt by now.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.db import transaction

from jobs import sql
from jobs.exceptions import LeaseLost
from jobs.notify import notify_workers_on_commit
from jobs.retry import retry_delay_s
from jobs.services.hooks import call_on_cancelled, call_on_dead
from jobs.snapshot import JobError, JobSnapshot
from jobs.states import AttemptOutcome, JobStatus

logger = logging.getLogger(__name__)

# Attempts lost to dead workers before the job itself is taken for what kills them.
MAX_LOST = 12
LOST = JobError("worker_lost", "The worker died or was not heard of for a lease.")
POISON = JobError("lost_too_often", f"{MAX_LOST} workers died while they ran the job.")
TIMED_OUT = JobError("timeout", "The attempt took longer than it may.")
RELEASED = JobError("released", "The worker was told to stop.")
CANCELLED = JobError("cancelled", "The job was cancelled.")


def finish(*, job: JobSnapshot, result: dict[str, Any] | None = None) -> None:
    """Record success."""
    with sql.end_transaction():
        _require(sql.end(job, JobStatus.SUCCEEDED, AttemptOutcome.SUCCEEDED, result=result))


def fail_attempt(
    *,
    job: JobSnapshot,
    error: JobError,
    outcome: AttemptOutcome = AttemptOutcome.FAILED,
    permanent: bool = False,
    delay_s: float | None = None,
) -> JobStatus:
    """Record a failure of the handler: wait for the next attempt, or dead-letter the job after the last.

    permanent: no further attempt has any hope. A job that is to be cancelled is, instead.
    delay_s: the wait before the next attempt, where the caller knows better than the handler's terms.
    """
    with transaction.atomic():
        if _lock(job):
            return _cancel(job)
        failures = job.failures + 1
        if permanent or failures >= job.max_attempts:
            return _dead_letter(job, outcome, error, failures=1)
        if delay_s is None:
            delay_s = retry_delay_s(job.type, failures)
        _require(sql.retry(job, outcome, delay_s=delay_s, error=error, failures=1))
        return JobStatus.SCHEDULED


def postpone(*, job: JobSnapshot, delay_s: float) -> JobStatus:
    """Run the job again later, without counting a failure."""
    with transaction.atomic():
        if _lock(job):
            return _cancel(job)
        _require(sql.retry(job, AttemptOutcome.POSTPONED, delay_s=max(delay_s, 0.0), error=None, failures=0))
        return JobStatus.SCHEDULED


def cancel_attempt(*, job: JobSnapshot) -> JobStatus:
    """Record that a running job was stopped because somebody asked for it."""
    with transaction.atomic():
        return _cancel(job)


def release_job(*, job: JobSnapshot) -> JobStatus:
    """Release the job because its worker must stop; the attempt is not counted."""
    with transaction.atomic():
        if _lock(job):
            return _cancel(job)
        _require(sql.requeue(job, AttemptOutcome.RELEASED, error=RELEASED, lost=0))
        notify_workers_on_commit()
        return JobStatus.QUEUED


def reap_expired(*, limit: int = 100) -> int:
    """Take jobs from workers that have not been heard of for a lease; return how many.

    Each goes back to its queue, or to the dead letters when it has lost too many workers.
    """
    reaped = 0
    for expired in sql.list_expired(limit=limit):
        try:
            _end_lost(expired.job, cancel_requested=expired.cancel_requested)
        except LeaseLost:
            # A heartbeat came in after all, or another reaper was first.
            continue
        reaped += 1
        logger.warning("lease of a job ran out", extra=_fields(expired.job))
    return reaped


def requeue_lost_jobs(*, slot: str) -> int:
    """Take back at once what a slot held that is known to be dead; return how many jobs."""
    if not sql.expire_worker(slot):
        return 0
    return _end_each(slot, lambda held: _end_lost(held.job, cancel_requested=held.cancel_requested))


def release_held_jobs(*, slot: str) -> int:
    """Release what a slot held that had to be killed for the worker to stop; return how many jobs."""
    return _end_each(slot, lambda held: release_job(job=held.job))


def fail_timed_out(*, slot: str) -> int:
    """Fail the attempts for whose overrun a slot was killed, and release uncounted what else it held; return how many
    failed.
    """
    failed: list[JobSnapshot] = []

    def settle(held: sql.HeldJob) -> None:
        if held.elapsed_s >= held.job.timeout_s:
            fail_attempt(job=held.job, error=TIMED_OUT, outcome=AttemptOutcome.TIMEOUT)
            failed.append(held.job)
        else:
            release_job(job=held.job)

    _end_each(slot, settle)
    return len(failed)


def _end_each(slot: str, settle: Callable[[sql.HeldJob], object]) -> int:
    """Do it for all that a slot holds; return for how many. What another worker has taken by now is left to it."""
    settled = 0
    for held in sql.list_held(slot):
        try:
            settle(held)
        except LeaseLost:
            logger.info("a dead slot's job was taken back by another worker", extra=_fields(held.job))
        else:
            settled += 1
    return settled


def _end_lost(job: JobSnapshot, *, cancel_requested: bool) -> None:
    with transaction.atomic():
        if cancel_requested:
            ended = sql.end(
                job, JobStatus.CANCELLED, AttemptOutcome.LOST, error=CANCELLED, lost=1, only_if_expired=True
            )
            _require(ended)
            call_on_cancelled(job)
        elif job.lost + 1 >= MAX_LOST:
            _require(sql.end(job, JobStatus.DEAD, AttemptOutcome.LOST, error=POISON, lost=1, only_if_expired=True))
            call_on_dead(job, POISON)
        else:
            _require(sql.requeue(job, AttemptOutcome.LOST, error=LOST, lost=1, only_if_expired=True))
            notify_workers_on_commit()


def _cancel(job: JobSnapshot) -> JobStatus:
    _require(sql.end(job, JobStatus.CANCELLED, AttemptOutcome.CANCELLED, error=CANCELLED))
    call_on_cancelled(job)
    return JobStatus.CANCELLED


def _dead_letter(job: JobSnapshot, outcome: AttemptOutcome, error: JobError, *, failures: int) -> JobStatus:
    _require(sql.end(job, JobStatus.DEAD, outcome, error=error, failures=failures))
    call_on_dead(job, error)
    logger.error("job is dead", extra={**_fields(job), "error_code": error.code})
    return JobStatus.DEAD


def _lock(job: JobSnapshot) -> bool:
    """Hold the row until the transaction ends; say whether the job is to be cancelled."""
    cancel_requested = sql.lock(job)
    if cancel_requested is None:
        raise LeaseLost
    return cancel_requested


def _require(changed: bool) -> None:
    """Undo the transaction where the fence let nothing through."""
    if not changed:
        raise LeaseLost


def _fields(job: JobSnapshot) -> dict[str, str | int]:
    return {"job_id": job.public_id, "job_type": job.type, "attempt": job.attempt}
