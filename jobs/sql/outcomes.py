"""Statements that end an attempt. They also record it, on SQLite in a second statement: callers use
`end_transaction()` or a transaction of their own, and roll it back when they get False.
"""

# ruff: noqa: S608 - only constants of this package are put into the texts
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
    """Return the transaction that ending an attempt needs when nothing else goes with it; none where one statement
    does it all.
    """
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
    """Bring a running job to a final status and record the attempt; False if fenced off."""
    statement = END + _IF_EXPIRED if only_if_expired else END
    terms = {"status": status.value, "failures": failures, "lost": lost, "result": json_parameter(result)}
    return _end_attempt(statement, job, outcome, error, **terms)


RETRY = f"""
    UPDATE jobs_job
    SET status = 'scheduled', scheduled_at = {seconds_from_now("delay_s")}, failures = failures + %(failures)s,
        error = {json_of("error")}, worker = '', lease_expires_at = NULL
    WHERE {FENCE}
"""


def retry(job: JobSnapshot, outcome: AttemptOutcome, *, delay_s: float, error: JobError | None, failures: int) -> bool:
    """Have a running job wait for its next attempt and record this one; False if fenced off."""
    return _end_attempt(RETRY, job, outcome, error, delay_s=delay_s, failures=failures)


REQUEUE = f"""
    UPDATE jobs_job
    SET status = 'queued', lost = lost + %(lost)s, worker = '', lease_expires_at = NULL
    WHERE {FENCE}
"""


def requeue(
    job: JobSnapshot, outcome: AttemptOutcome, *, error: JobError, lost: int, only_if_expired: bool = False
) -> bool:
    """Give a running job back to its old place in the queue and record the attempt; False if fenced off."""
    return _end_attempt(REQUEUE + _IF_EXPIRED if only_if_expired else REQUEUE, job, outcome, error, lost=lost)


_RECORD_ATTEMPT = f"""
    INSERT INTO jobs_jobattempt (id, created_at, job_id, number, worker, outcome, error, started_at, finished_at)
    SELECT %(attempt_id)s, {NOW}, id, attempts, worker, %(outcome)s, {json_of("error")}, started_at, {NOW}
"""


def _end_attempt(
    statement: str, job: JobSnapshot, outcome: AttemptOutcome, error: JobError | None, **terms: Any
) -> bool:
    """End the attempt and record it: at once where the database can, for each statement is a round trip there."""
    terms |= fence(job)
    terms["error"] = json_parameter(None if error is None else error.as_json())
    attempt = {"attempt_id": uuid_parameter(uuid7()), "outcome": outcome.value}
    if IS_POSTGRESQL:
        returning = "RETURNING id, attempts, worker, started_at"
        left = change(f"WITH ended AS ({statement} {returning}) {_RECORD_ATTEMPT} FROM ended", **terms, **attempt) == 1
    else:
        # Before the job is changed, as the row still says what the attempt was.
        recorded = change(f"{_RECORD_ATTEMPT} FROM jobs_job WHERE {FENCE}", **terms, **attempt) == 1
        left = recorded and change(statement, **terms) == 1
    if left and job.limit_key is not None:
        with transaction.atomic():
            admit(job.limit_key)
    return left
