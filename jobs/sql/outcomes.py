"""SQL that ends an attempt and records it, on SQLite in two statements.

Callers use `end_transaction()` or their own transaction, and roll it back if the result is False.
"""

# ruff: noqa: S608 - interpolates only constants of this package
from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.db import transaction

from core.ids import uuid7
from jobs.snapshot import JobError, JobSnapshot
from jobs.sql.database import (
    FENCE,
    IS_POSTGRESQL,
    NOW,
    change,
    fence,
    json_of,
    json_parameter,
    seconds_from_now,
    uuid_parameter,
)
from jobs.sql.limits import admit
from jobs.states import AttemptOutcome, JobStatus

_IF_EXPIRED = f" AND lease_expires_at <= {NOW}"


def end_transaction() -> AbstractContextManager[None]:
    """Return the transaction for ending an attempt; a null context on PostgreSQL, where one statement is enough."""
    return nullcontext() if IS_POSTGRESQL else transaction.atomic()


END = f"""
    UPDATE jobs_job
    SET status = %(status)s, failures = failures + %(failures)s, lost = lost + %(lost)s,
        error = {json_of("error")}, result = {json_of("result")}, finished_at = {NOW}, lease_expires_at = NULL
    WHERE {FENCE}
"""


def end(
    job: JobSnapshot,
    status: JobStatus,
    outcome: AttemptOutcome,
    *,
    error: JobError | None = None,
    result: dict[str, Any] | None = None,
    failures: int = 0,
    lost: int = 0,
    only_if_expired: bool = False,
) -> bool:
    """Move a running job to a final status and record the attempt; return False if fenced off."""
    statement = END + _IF_EXPIRED if only_if_expired else END
    values = {"status": status.value, "failures": failures, "lost": lost, "result": json_parameter(result)}
    return _end_attempt(statement, job, outcome, error, **values)


RETRY = f"""
    UPDATE jobs_job
    SET status = 'scheduled', scheduled_at = {seconds_from_now("delay_s")}, failures = failures + %(failures)s,
        error = {json_of("error")}, worker = '', lease_expires_at = NULL
    WHERE {FENCE}
"""


def retry(job: JobSnapshot, outcome: AttemptOutcome, *, delay_s: float, error: JobError | None, failures: int) -> bool:
    """Schedule the next attempt of a running job and record this one; return False if fenced off."""
    return _end_attempt(RETRY, job, outcome, error, delay_s=delay_s, failures=failures)


REQUEUE = f"""
    UPDATE jobs_job
    SET status = 'queued', lost = lost + %(lost)s, worker = '', lease_expires_at = NULL
    WHERE {FENCE}
"""


def requeue(
    job: JobSnapshot, outcome: AttemptOutcome, *, error: JobError, lost: int, only_if_expired: bool = False
) -> bool:
    """Requeue a running job at its old place and record the attempt; return False if fenced off."""
    return _end_attempt(REQUEUE + _IF_EXPIRED if only_if_expired else REQUEUE, job, outcome, error, lost=lost)


_RECORD_ATTEMPT = f"""
    INSERT INTO jobs_jobattempt (id, created_at, job_id, number, worker, outcome, error, started_at, finished_at)
    SELECT %(attempt_id)s, {NOW}, id, attempts, worker, %(outcome)s, {json_of("error")}, started_at, {NOW}
"""


def _end_attempt(
    statement: str, job: JobSnapshot, outcome: AttemptOutcome, error: JobError | None, **values: Any
) -> bool:
    """End and record the attempt, on PostgreSQL in one statement, as each is a round trip."""
    values |= fence(job)
    values["error"] = json_parameter(None if error is None else error.as_json())
    attempt = {"attempt_id": uuid_parameter(uuid7()), "outcome": outcome.value}
    if IS_POSTGRESQL:
        update = f"{statement} RETURNING id, attempts, worker, started_at"
        ended = change(f"WITH ended AS ({update}) {_RECORD_ATTEMPT} FROM ended", **values, **attempt) == 1
    else:
        # Before the update, while the row still has the data of the attempt.
        recorded = change(f"{_RECORD_ATTEMPT} FROM jobs_job WHERE {FENCE}", **values, **attempt) == 1
        ended = recorded and change(statement, **values) == 1
    if ended and job.limit_key is not None:
        with transaction.atomic():
            admit(job.limit_key)
    return ended
