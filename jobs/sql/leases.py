"""Statements about the leases of running jobs."""

# ruff: noqa: S608 - only constants of this package are put into the texts
from __future__ import annotations

from dataclasses import dataclass

from jobs.snapshot import JobSnapshot
from jobs.sql.database import (
    ELAPSED_S,
    FENCE,
    FOR_UPDATE,
    NOW,
    SNAPSHOT_COLUMNS,
    SNAPSHOT_WIDTH,
    change,
    fence,
    fetch,
    seconds_from_now,
    to_snapshot,
)


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


RENEW = f"""
    UPDATE jobs_job SET lease_expires_at = {seconds_from_now("lease_s")}
    WHERE {FENCE} RETURNING cancel_requested_at IS NOT NULL
"""


def renew(job: JobSnapshot, *, lease_s: float) -> bool | None:
    """Renew the lease: None if it is lost, else whether the job is to be cancelled."""
    rows = fetch(RENEW, lease_s=lease_s, **fence(job))
    return bool(rows[0][0]) if rows else None


WATCH = f"SELECT cancel_requested_at IS NOT NULL FROM jobs_job WHERE {FENCE}"


def watch(job: JobSnapshot) -> bool | None:
    """Return the same without renewing anything."""
    rows = fetch(WATCH, **fence(job))
    return bool(rows[0][0]) if rows else None


LOCK = f"{WATCH} {FOR_UPDATE}"


def lock(job: JobSnapshot) -> bool | None:
    """Return the same and hold the row until the open transaction ends. SQLite's transaction holds everything."""
    rows = fetch(LOCK, **fence(job))
    return bool(rows[0][0]) if rows else None


LIST_EXPIRED = f"""
    SELECT {SNAPSHOT_COLUMNS}, cancel_requested_at IS NOT NULL FROM jobs_job
    WHERE status = 'running' AND lease_expires_at <= {NOW} ORDER BY lease_expires_at LIMIT %(limit)s
"""


def list_expired(*, limit: int) -> list[ExpiredJob]:
    """Return running jobs whose lease has run out, the longest first."""
    rows = fetch(LIST_EXPIRED, limit=limit)
    return [ExpiredJob(to_snapshot(row), bool(row[SNAPSHOT_WIDTH])) for row in rows]


EXPIRE_WORKER = f"UPDATE jobs_job SET lease_expires_at = {NOW} WHERE status = 'running' AND worker = %(worker)s"


def expire_worker(worker: str) -> int:
    """Let the leases of a dead slot run out now; return how many."""
    return change(EXPIRE_WORKER, worker=worker)


LIST_HELD = f"""
    SELECT {SNAPSHOT_COLUMNS}, cancel_requested_at IS NOT NULL, {ELAPSED_S}
    FROM jobs_job WHERE status = 'running' AND worker = %(worker)s
"""


def list_held(worker: str) -> list[HeldJob]:
    """Return what a slot holds: one job or none, or many where its jobs are I/O."""
    rows = fetch(LIST_HELD, worker=worker)
    return [HeldJob(to_snapshot(row), bool(row[SNAPSHOT_WIDTH]), float(row[SNAPSHOT_WIDTH + 1] or 0.0)) for row in rows]
