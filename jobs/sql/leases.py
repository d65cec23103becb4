"""SQL on the leases of running jobs."""

# ruff: noqa: S608 - interpolates only constants of this package
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
    """A running job with an expired lease."""

    job: JobSnapshot
    cancel_requested: bool


@dataclass(frozen=True, slots=True)
class HeldJob:
    """A running job of a slot. elapsed_s: since the start of the attempt, by the database's clock."""

    job: JobSnapshot
    cancel_requested: bool
    elapsed_s: float


RENEW = f"""
    UPDATE jobs_job SET lease_expires_at = {seconds_from_now("lease_s")}
    WHERE {FENCE} RETURNING cancel_requested_at IS NOT NULL
"""


def renew(job: JobSnapshot, *, lease_s: float) -> bool | None:
    """Renew the lease; return whether cancellation was requested, or None if the lease is lost."""
    rows = fetch(RENEW, lease_s=lease_s, **fence(job))
    return bool(rows[0][0]) if rows else None


WATCH = f"SELECT cancel_requested_at IS NOT NULL FROM jobs_job WHERE {FENCE}"


def watch(job: JobSnapshot) -> bool | None:
    """Return the same as `renew`, without renewing the lease."""
    rows = fetch(WATCH, **fence(job))
    return bool(rows[0][0]) if rows else None


LOCK = f"{WATCH} {FOR_UPDATE}"


def lock(job: JobSnapshot) -> bool | None:
    """Return the same as `watch`, and lock the row until the open transaction ends (on SQLite, the database)."""
    rows = fetch(LOCK, **fence(job))
    return bool(rows[0][0]) if rows else None


LIST_EXPIRED = f"""
    SELECT {SNAPSHOT_COLUMNS}, cancel_requested_at IS NOT NULL FROM jobs_job
    WHERE status = 'running' AND lease_expires_at <= {NOW} ORDER BY lease_expires_at LIMIT %(limit)s
"""


def list_expired(*, limit: int) -> list[ExpiredJob]:
    """Return running jobs with an expired lease, the earliest first."""
    rows = fetch(LIST_EXPIRED, limit=limit)
    return [ExpiredJob(to_snapshot(row), bool(row[SNAPSHOT_WIDTH])) for row in rows]


EXPIRE_WORKER = f"UPDATE jobs_job SET lease_expires_at = {NOW} WHERE status = 'running' AND worker = %(worker)s"


def expire_worker(worker: str) -> int:
    """Expire the leases of a dead slot now; return how many."""
    return change(EXPIRE_WORKER, worker=worker)


LIST_HELD = f"""
    SELECT {SNAPSHOT_COLUMNS}, cancel_requested_at IS NOT NULL, {ELAPSED_S}
    FROM jobs_job WHERE status = 'running' AND worker = %(worker)s
"""


def list_held(worker: str) -> list[HeldJob]:
    """Return the running jobs of a slot: at most one, or many for an I/O slot."""
    rows = fetch(LIST_HELD, worker=worker)
    return [HeldJob(to_snapshot(row), bool(row[SNAPSHOT_WIDTH]), float(row[SNAPSHOT_WIDTH + 1] or 0.0)) for row in rows]
