"""Statements that queue scheduled jobs once they are due."""

# ruff: noqa: S608 - only constants of this package are put into the texts
from __future__ import annotations

from jobs.sql.database import NOW, SKIP_LOCKED, change, fetch

ANY_DUE = f"""
    SELECT 1 FROM jobs_job WHERE status = 'scheduled' AND scheduled_at <= {NOW} ORDER BY scheduled_at LIMIT 1
"""


def any_due() -> bool:
    """Say whether a scheduled job is due: a read, so that an idle promoter takes no lock."""
    return bool(fetch(ANY_DUE))


# Materialized, as PostgreSQL may run a subquery in a condition once for each row, each time past other locks.
PROMOTE = f"""
    WITH due AS MATERIALIZED (
        SELECT id FROM jobs_job WHERE status = 'scheduled' AND scheduled_at <= {NOW}
        ORDER BY scheduled_at LIMIT %(limit)s {SKIP_LOCKED}
    )
    UPDATE jobs_job
    SET status = CASE WHEN limit_key IS NULL THEN 'queued' ELSE 'blocked' END, queued_at = {NOW}
    WHERE status = 'scheduled' AND id IN (SELECT id FROM due)
"""


def promote(*, limit: int) -> int:
    """Queue scheduled jobs that are due, the earliest first; return how many. Those with a limit are to be admitted."""
    return change(PROMOTE, limit=limit)
