"""Outcomes of attempts: each is one fenced transaction that also calls the handler's hooks.

All services of one attempt raise LeaseLost, and change nothing, if the job belongs to another attempt.
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

# Lost workers before the job itself is considered the cause.
MAX_LOST = 12
LOST = JobError("worker_lost", "The worker died or did not renew its lease.")
POISON = JobError("lost_too_often", f"{MAX_LOST} workers died while running the job.")
TIMED_OUT = JobError("timeout", "The attempt exceeded its timeout.")
RELEASED = JobError("released", "The worker was stopped.")
CANCELLED = JobError("cancelled", "The job was cancelled.")


def finish(*, job: JobSnapshot, result: dict[str, Any] | None = None) -> None:
    """Record success and the result."""
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
    """Record a failure of the handler: schedule a retry, or dead-letter the job after its last attempt.

    permanent: dead-letter without a retry. A job whose cancellation was requested is cancelled instead.
    delay_s: the delay before the next attempt, by default the handler's.
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
    """Schedule the job again after a delay, without counting a failure."""
    with transaction.atomic():
        if _lock(job):
            return _cancel(job)
        _require(sql.retry(job, AttemptOutcome.POSTPONED, delay_s=max(delay_s, 0.0), error=None, failures=0))
        return JobStatus.SCHEDULED


def cancel_attempt(*, job: JobSnapshot) -> JobStatus:
    """Cancel a running job that has stopped on request."""
    with transaction.atomic():
        return _cancel(job)


def release_job(*, job: JobSnapshot) -> JobStatus:
    """Requeue the job because its worker is stopping; the attempt is not counted."""
    with transaction.atomic():
        if _lock(job):
            return _cancel(job)
        _require(sql.requeue(job, AttemptOutcome.RELEASED, error=RELEASED, lost=0))
        notify_workers_on_commit()
        return JobStatus.QUEUED


def reap_expired(*, limit: int = 100) -> int:
    """Requeue running jobs with an expired lease, or dead-letter those that lost too many workers; return how many."""
    reaped = 0
    for expired in sql.list_expired(limit=limit):
        try:
            _end_lost(expired.job, cancel_requested=expired.cancel_requested)
        except LeaseLost:
            # The lease was renewed in the meantime, or another reaper was first.
            continue
        reaped += 1
        logger.warning("lease of a job expired", extra=_fields(expired.job))
    return reaped


def requeue_lost_jobs(*, slot: str) -> int:
    """Requeue the jobs of a slot that is known to be dead; return how many."""
    if not sql.expire_worker(slot):
        return 0
    return _end_each(slot, lambda held: _end_lost(held.job, cancel_requested=held.cancel_requested))


def release_held_jobs(*, slot: str) -> int:
    """Release the jobs of a slot that was killed to stop its worker; return how many."""
    return _end_each(slot, lambda held: release_job(job=held.job))


def fail_timed_out(*, slot: str) -> int:
    """Fail the timed-out attempts of a killed slot, and release its other jobs uncounted; return how many failed."""
    failed: list[JobSnapshot] = []

    def record(held: sql.HeldJob) -> None:
        if held.elapsed_s >= held.job.timeout_s:
            fail_attempt(job=held.job, error=TIMED_OUT, outcome=AttemptOutcome.TIMEOUT)
            failed.append(held.job)
        else:
            release_job(job=held.job)

    _end_each(slot, record)
    return len(failed)


def _end_each(slot: str, record: Callable[[sql.HeldJob], object]) -> int:
    """Apply `record` to each job of a slot; return how many. Skip jobs that another worker has taken over."""
    settled = 0
    for held in sql.list_held(slot):
        try:
            record(held)
        except LeaseLost:
            logger.info("job of a dead slot was already recovered by another worker", extra=_fields(held.job))
        else:
            settled += 1
    return settled


def _end_lost(job: JobSnapshot, *, cancel_requested: bool) -> None:
    outcome = AttemptOutcome.LOST
    with transaction.atomic():
        if cancel_requested:
            _require(sql.end(job, JobStatus.CANCELLED, outcome, error=CANCELLED, lost=1, only_if_expired=True))
            call_on_cancelled(job)
        elif job.lost + 1 >= MAX_LOST:
            _require(sql.end(job, JobStatus.DEAD, outcome, error=POISON, lost=1, only_if_expired=True))
            call_on_dead(job, POISON)
        else:
            _require(sql.requeue(job, outcome, error=LOST, lost=1, only_if_expired=True))
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
    """Lock the row until the transaction ends; return whether cancellation was requested."""
    cancel_requested = sql.lock(job)
    if cancel_requested is None:
        raise LeaseLost
    return cancel_requested


def _require(changed: bool) -> None:
    if not changed:
        raise LeaseLost


def _fields(job: JobSnapshot) -> dict[str, str | int]:
    return {"job_id": job.public_id, "job_type": job.type, "attempt": job.attempt}
