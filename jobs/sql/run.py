"""Execute the statements on the default connection.

Those that end an attempt also keep it as a row, on SQLite in a second statement: callers use `ending()` or a
transaction of their own, and undo it when they get False.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from core.ids import uuid7
from jobs.snapshot import JobError, JobSnapshot
from jobs.sql.rows import SNAPSHOT_WIDTH, json_parameter, to_snapshot, uuid_parameter
from jobs.sql.statements import BY_VENDOR, Statements
from jobs.states import JobStatus, Outcome
from jobs.wake import wake_workers_on_commit

Parameter = str | int | float | uuid.UUID | None


@dataclass(frozen=True, slots=True)
class ExpiredJob:
    """A running job whose lease has run out."""

    job: JobSnapshot
    cancel_requested: bool


@dataclass(frozen=True, slots=True)
class HeldJob:
    """A job that a slot holds. elapsed_s: since the attempt began, by the database's clock."""

    job: JobSnapshot
    cancel_requested: bool
    elapsed_s: float


def statements() -> Statements:
    """Return the texts for the database in use."""
    return BY_VENDOR[connection.vendor]


def claim(*, queue: str, worker: str, lease_s: float) -> JobSnapshot | None:
    """Lease the best queued job of a queue to a worker; None where there is nothing to do."""
    rows = _fetch(statements().claim, [worker, lease_s, queue, queue])
    return to_snapshot(rows[0]) if rows else None


def claim_limited(*, queue: str, worker: str, lease_s: float) -> JobSnapshot | None:
    """Do the same for a queue that has a limit, counting exactly."""
    if connection.vendor != "postgresql":
        return claim(queue=queue, worker=worker, lease_s=lease_s)
    with transaction.atomic():
        _fetch(statements().lock_limited_queue, [queue])
        return claim(queue=queue, worker=worker, lease_s=lease_s)


def is_ready(queue: str) -> bool:
    """Say whether a queue has a job to claim, be it paused or not."""
    return bool(_fetch(statements().ready, [queue]))


def ending() -> AbstractContextManager[None]:
    """Return the transaction that ending an attempt needs when nothing else goes with it; none where one statement
    does it all.
    """
    return nullcontext() if connection.vendor == "postgresql" else transaction.atomic()


def end(
    job: JobSnapshot,
    status: JobStatus,
    outcome: Outcome,
    *,
    error: JobError | None = None,
    result: dict[str, Any] | None = None,
    failures: int = 0,
    lost: int = 0,
    only_if_expired: bool = False,
) -> bool:
    """Bring a running job to a final status and keep the attempt; False if fenced off."""
    text = statements().end_expired if only_if_expired else statements().end
    values = [status.value, failures, lost, _error(error), json_parameter(result), *_fence(job)]
    return _leave(text, values, job, outcome, error)


def retry(job: JobSnapshot, outcome: Outcome, *, delay_s: float, error: JobError | None, failures: int) -> bool:
    """Have a running job wait for its next attempt and keep this one; False if fenced off."""
    values = [delay_s, failures, _error(error), *_fence(job)]
    return _leave(statements().retry, values, job, outcome, error)


def requeue(job: JobSnapshot, outcome: Outcome, *, error: JobError, lost: int, only_if_expired: bool = False) -> bool:
    """Give a running job back to its queue and keep the attempt; False if fenced off."""
    text = statements().requeue_expired if only_if_expired else statements().requeue
    return _leave(text, [lost, *_fence(job)], job, outcome, error)


def renew(job: JobSnapshot, *, lease_s: float) -> bool | None:
    """Renew the lease: None if it is lost, else whether the job is to be cancelled."""
    rows = _fetch(statements().renew, [lease_s, *_fence(job)])
    return bool(rows[0][0]) if rows else None


def watch(job: JobSnapshot) -> bool | None:
    """Return the same without renewing anything."""
    rows = _fetch(statements().watch, _fence(job))
    return bool(rows[0][0]) if rows else None


def lock(job: JobSnapshot) -> bool | None:
    """Return the same and hold the row until the open transaction ends. SQLite's transaction holds everything."""
    rows = _fetch(statements().lock, _fence(job))
    return bool(rows[0][0]) if rows else None


def any_due() -> bool:
    """Say whether a scheduled job is due."""
    return bool(_fetch(statements().any_due, []))


def promote(*, limit: int) -> int:
    """Queue scheduled jobs that are due; return how many."""
    return _change(statements().promote, [limit])


def admit(limit_key: str) -> int:
    """Queue blocked jobs of a key as far as its limit allows; return how many.

    Only this makes a job with a limit queued, in a transaction and one process at a time: what is queued or running
    never exceeds the limit, and the claim need not look at it.
    """
    texts = statements()
    if connection.vendor == "postgresql" and not _fetch(texts.try_limit, [limit_key])[0][0]:
        return 0
    ((limit, at_work),) = _fetch(texts.room, [limit_key, limit_key, limit_key])
    if limit is None or at_work >= limit:
        return 0
    admitted = _change(texts.admit, [limit_key, limit - at_work])
    if admitted:
        wake_workers_on_commit()
    return admitted


def demote(limit_key: str, priority: int) -> int:
    """Block queued jobs of a key that are less urgent, to be admitted again in their turn; return how many."""
    return _change(statements().demote, [limit_key, priority])


def list_admissible() -> list[str]:
    """Return the keys that have blocked jobs and room for them."""
    return [row[0] for row in _fetch(statements().admissible, [])]


def list_expired(*, limit: int) -> list[ExpiredJob]:
    """Return running jobs whose lease has run out, the longest first."""
    rows = _fetch(statements().expired, [limit])
    return [ExpiredJob(to_snapshot(row), bool(row[SNAPSHOT_WIDTH])) for row in rows]


def expire_worker(worker: str) -> int:
    """Let the leases of a dead slot run out now; return how many."""
    return _change(statements().expire_worker, [worker])


def list_held(worker: str) -> list[HeldJob]:
    """Return what a slot holds: one job or none, or many where its jobs are I/O."""
    rows = _fetch(statements().held, [worker])
    return [HeldJob(to_snapshot(row), bool(row[SNAPSHOT_WIDTH]), float(row[SNAPSHOT_WIDTH + 1] or 0.0)) for row in rows]


def _leave(
    change: str, values: Sequence[Parameter], job: JobSnapshot, outcome: Outcome, error: JobError | None
) -> bool:
    """End the attempt and keep it: at once where the database can, for each statement is a round trip there."""
    texts = statements()
    attempt = [uuid_parameter(connection, uuid7()), outcome.value, _error(error)]
    if connection.vendor == "postgresql":
        left = _change(texts.leave_at_once.replace("{change}", change), [*values, *attempt]) == 1
    else:
        left = _change(texts.record_attempt, [*attempt, *_fence(job)]) == 1 and _change(change, values) == 1
    if left and job.limit_key is not None:
        with transaction.atomic():
            admit(job.limit_key)
    return left


def _fence(job: JobSnapshot) -> list[Parameter]:
    return [uuid_parameter(connection, job.id), job.worker, job.attempt]


def _error(error: JobError | None) -> str | None:
    return json_parameter(None if error is None else error.as_json())


def _fetch(text: str, values: Sequence[Parameter]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(text, values)
        rows: list[Any] = cursor.fetchall()
    return rows


def _change(text: str, values: Sequence[Parameter]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(text, values)
        changed: int = cursor.rowcount
    return changed
