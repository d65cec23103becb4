"""Runs a claimed job and records its outcome, whatever the handler raises."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable
from typing import Any

from django.db import InterfaceError, OperationalError, connection, reset_queries
from opentelemetry.trace import Span

from jobs import services
from jobs.context import JobContext
from jobs.exceptions import (
    AttemptTimedOut,
    JobCancelled,
    LeaseLost,
    PermanentFailure,
    RetryLater,
    ShuttingDown,
    TransientFailure,
)
from jobs.expressions import status_is
from jobs.models import Job
from jobs.registry import get_handler
from jobs.services.outcomes import TIMED_OUT
from jobs.snapshot import JobError, JobSnapshot
from jobs.states import AttemptOutcome, JobStatus
from jobs.tracing import attempt_context, end_attempt_span, start_attempt_span

logger = logging.getLogger(__name__)

MESSAGE_LENGTH = 2000
TRACEBACK_LENGTH = 8000
# A short database outage must not lose the result of a finished job.
RECORD_RETRY_DELAYS_S = (0.1, 0.5, 2.0)

COMPLETION_UNDONE = JobError("completion_undone", "The handler's transaction was rolled back after complete().")

RecordOutcome = Callable[[], object]
Work = Callable[[JobContext], dict[str, Any] | None]


def run_job(context: JobContext, run: Work | None = None, *, span: Span | None = None) -> None:
    """Run the handler of a job and record the outcome; exceptions of the handler do not propagate.

    run: called instead of the handler. span: that of the attempt, if it was already started.
    """
    attempt_span = start_attempt_span(context.job) if span is None else span
    try:
        with attempt_context(context.job, attempt_span):
            _record(context, _run(context, run))
    finally:
        end_attempt_span(context, attempt_span)
        reset_queries()


def release_claimed_job(job: JobSnapshot) -> None:
    """Requeue a claimed job that was not run."""
    try:
        services.release_job(job=job)
    except LeaseLost:
        logger.warning("lease of a job was lost", extra={"job_id": job.public_id})


def _run(context: JobContext, run: Work | None) -> RecordOutcome:
    """Run the handler; return the function that records the outcome."""
    job = context.job
    try:
        result = (run or get_handler(job.type).run)(context)
    except LeaseLost:
        return _log_lost(context)
    except JobCancelled:
        context.set_outcome(AttemptOutcome.CANCELLED)
        return lambda: services.cancel_attempt(job=job)
    except ShuttingDown:
        context.set_outcome(AttemptOutcome.RELEASED)
        return lambda: services.release_job(job=job)
    except AttemptTimedOut:
        context.set_outcome(AttemptOutcome.TIMEOUT, error_code=TIMED_OUT.code)
        return lambda: services.fail_attempt(job=job, error=TIMED_OUT, outcome=AttemptOutcome.TIMEOUT)
    except RetryLater as later:
        delay_s = later.delay_s
        context.set_outcome(AttemptOutcome.POSTPONED)
        return lambda: services.postpone(job=job, delay_s=delay_s)
    except PermanentFailure as failure:
        error = JobError(failure.code, failure.message[:MESSAGE_LENGTH])
        context.set_outcome(AttemptOutcome.FAILED, error_code=failure.code)
        return lambda: services.fail_attempt(job=job, error=error, permanent=True)
    except TransientFailure as failure:
        logger.warning("job failed: %s", failure.code, extra={"job_id": job.public_id, "attempt": job.attempt})
        expected = JobError(failure.code, failure.message[:MESSAGE_LENGTH])
        context.set_outcome(AttemptOutcome.FAILED, error_code=failure.code)
        return lambda: services.fail_attempt(job=job, error=expected)
    except Exception as raised:
        logger.exception("job failed", extra={"job_id": job.public_id, "job_type": job.type, "attempt": job.attempt})
        described = _describe(raised)
        context.set_outcome(AttemptOutcome.FAILED, error_code=described.code)
        return lambda: services.fail_attempt(job=job, error=described)
    if context.completed:
        return lambda: _confirm(context)
    context.set_outcome(AttemptOutcome.SUCCEEDED)
    return lambda: services.finish(job=job, result=result)


def _confirm(context: JobContext) -> None:
    """Fail the attempt if the transaction that called `complete` was rolled back."""
    running = Job.objects.filter(status_is(JobStatus.RUNNING), pk=context.job.id, attempts=context.job.attempt)
    if running.exists():
        services.fail_attempt(job=context.job, error=COMPLETION_UNDONE)
        context.set_outcome(AttemptOutcome.FAILED, error_code=COMPLETION_UNDONE.code)


def _record(context: JobContext, record: RecordOutcome) -> None:
    """Record the outcome, with retries during short database outages; after that the reaper takes over."""
    for wait_s in (*RECORD_RETRY_DELAYS_S, None):
        try:
            record()
            return
        except LeaseLost:
            _log_lost(context)
            return
        except (OperationalError, InterfaceError):
            if wait_s is None or connection.in_atomic_block:
                logger.exception("outcome of a job not recorded", extra={"job_id": context.job.public_id})
                return
            connection.close()
            time.sleep(wait_s)


def _log_lost(context: JobContext) -> RecordOutcome:
    job = context.job
    context.set_outcome(AttemptOutcome.LOST, error_code="lease_lost")
    logger.warning("lease of a running job was lost", extra={"job_id": job.public_id, "attempt": job.attempt})
    return lambda: None


def _describe(raised: Exception) -> JobError:
    code = getattr(raised, "code", None)
    return JobError(
        code=code if isinstance(code, str) and code else "handler_error",
        message=f"{type(raised).__name__}: {raised}"[:MESSAGE_LENGTH],
        traceback="".join(traceback.format_exception(raised))[-TRACEBACK_LENGTH:],
    )
