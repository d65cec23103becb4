"""Run one claimed job and record how it ended: the worker's edge, where nothing may escape."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable

from django.db import InterfaceError, OperationalError, connection, reset_queries

from core.context import request_id
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
from jobs.literals import status_is
from jobs.models import Job
from jobs.registry import get_handler
from jobs.services.ending import TIMED_OUT
from jobs.snapshot import JobError
from jobs.states import JobStatus, Outcome

logger = logging.getLogger(__name__)

MESSAGE_LENGTH = 2000
TRACEBACK_LENGTH = 8000
# A database that is away for a moment must not cost a finished job its result.
SETTLE_WAITS_S = (0.1, 0.5, 2.0)

UNDONE = JobError("completion_undone", "The handler returned after its transaction had been undone.")

Ending = Callable[[], object]


def run_job(context: JobContext) -> None:
    """Run the handler of a job and record the outcome. Never raises for what the handler did."""
    token = request_id.set(context.job.request_id or context.job.public_id)
    try:
        _settle(context, _run(context))
    finally:
        request_id.reset(token)
        reset_queries()


def _run(context: JobContext) -> Ending:
    """Run the handler; return what records the outcome."""
    job = context.job
    try:
        result = get_handler(job.type).run(context)
    except LeaseLost:
        return _log_lost(context)
    except JobCancelled:
        return lambda: services.cancel_attempt(job=job)
    except ShuttingDown:
        return lambda: services.hand_back(job=job)
    except AttemptTimedOut:
        return lambda: services.fail_attempt(job=job, error=TIMED_OUT, outcome=Outcome.TIMEOUT)
    except RetryLater as later:
        delay_s = later.delay_s
        return lambda: services.postpone(job=job, delay_s=delay_s)
    except PermanentFailure as failure:
        error = JobError(failure.code, failure.message[:MESSAGE_LENGTH])
        return lambda: services.fail_attempt(job=job, error=error, permanent=True)
    except TransientFailure as failure:
        logger.warning("job failed: %s", failure.code, extra={"job_id": job.public_id, "attempt": job.attempt})
        expected = JobError(failure.code, failure.message[:MESSAGE_LENGTH])
        return lambda: services.fail_attempt(job=job, error=expected)
    except Exception as raised:
        logger.exception("job failed", extra={"job_id": job.public_id, "job_type": job.type, "attempt": job.attempt})
        described = _describe(raised)
        return lambda: services.fail_attempt(job=job, error=described)
    if context.completed:
        return lambda: _confirm(context)
    return lambda: services.finish(job=job, result=result)


def _confirm(context: JobContext) -> None:
    """Fail the attempt if the transaction in which it completed was undone after all."""
    running = Job.objects.filter(status_is(JobStatus.RUNNING), pk=context.job.id, attempts=context.job.attempt)
    if running.exists():
        services.fail_attempt(job=context.job, error=UNDONE)


def _settle(context: JobContext, ending: Ending) -> None:
    """Record the outcome, through short absences of the database; after that the reaper takes over."""
    for wait_s in (*SETTLE_WAITS_S, None):
        try:
            ending()
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


def _log_lost(context: JobContext) -> Ending:
    """Say that another attempt owns the job; nothing may be written."""
    job = context.job
    logger.warning("lease of a running job was lost", extra={"job_id": job.public_id, "attempt": job.attempt})
    return lambda: None


def _describe(raised: Exception) -> JobError:
    code = getattr(raised, "code", None)
    return JobError(
        code=code if isinstance(code, str) and code else "handler_error",
        message=f"{type(raised).__name__}: {raised}"[:MESSAGE_LENGTH],
        traceback="".join(traceback.format_exception(raised))[-TRACEBACK_LENGTH:],
    )
