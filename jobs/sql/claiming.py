"""SQL that claims jobs for workers."""

# ruff: noqa: S608 - interpolates only constants of this package
from __future__ import annotations

from django.db import transaction

from jobs.snapshot import JobSnapshot
from jobs.sql.database import IS_POSTGRESQL, NOW, SKIP_LOCKED, SNAPSHOT_COLUMNS, fetch, seconds_from_now, to_snapshot

# A single UPDATE takes SQLite's write lock before it reads, so that no other worker can claim the same row.
CLAIM = f"""
    UPDATE jobs_job
    SET status = 'running', worker = %(worker)s, attempts = attempts + 1,
        started_at = {NOW}, lease_expires_at = {seconds_from_now("lease_s")}
    WHERE id = (
        SELECT id FROM jobs_job
        WHERE queue = %(queue)s AND status = 'queued' AND NOT EXISTS (
            SELECT 1 FROM jobs_queuestate AS state
            WHERE state.name = %(queue)s AND (state.paused OR state.max_running <= (
                SELECT count(*) FROM jobs_job AS other
                WHERE other.queue = state.name AND other.status = 'running'
            ))
        )
        ORDER BY priority, scheduled_at, id
        LIMIT 1 {SKIP_LOCKED}
    )
    RETURNING {SNAPSHOT_COLUMNS}
"""


def claim(*, queue: str, worker: str, lease_s: float) -> JobSnapshot | None:
    """Lease the next job of a queue; None if it has none, is paused, or is at its limit."""
    rows = fetch(CLAIM, queue=queue, worker=worker, lease_s=lease_s)
    return to_snapshot(rows[0]) if rows else None


LOCK_LIMITED_QUEUE = "SELECT 1 FROM jobs_queuestate WHERE name = %(queue)s AND max_running IS NOT NULL FOR UPDATE"


def claim_limited(*, queue: str, worker: str, lease_s: float) -> JobSnapshot | None:
    """Claim from a queue with a limit, one transaction at a time, as two could count the same running jobs."""
    if not IS_POSTGRESQL:
        return claim(queue=queue, worker=worker, lease_s=lease_s)
    with transaction.atomic():
        fetch(LOCK_LIMITED_QUEUE, queue=queue)
        return claim(queue=queue, worker=worker, lease_s=lease_s)


# Ordered like the claim: without an order PostgreSQL may scan the table, past all finished jobs.
IS_READY = """
    SELECT 1 FROM jobs_job WHERE queue = %(queue)s AND status = 'queued' ORDER BY priority, scheduled_at, id LIMIT 1
"""


def is_ready(queue: str) -> bool:
    """Return whether a queue has queued jobs, even if it is paused."""
    return bool(fetch(IS_READY, queue=queue))
