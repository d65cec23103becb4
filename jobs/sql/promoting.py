"""SQL that queues scheduled jobs once they are due."""

# ruff: noqa: S608 - interpolates only constants of this package
from __future__ import annotations

from jobs.sql.database import NOW, SKIP_LOCKED, change, fetch

ANY_DUE = f"""
    SELECT 1 FROM jobs_job WHERE status = 'scheduled' AND scheduled_at <= {NOW} ORDER BY scheduled_at LIMIT 1
"""


def any_due() -> bool:
    """Return whether a scheduled job is due; a read, so that an idle promoter takes no lock."""
    return bool(fetch(ANY_DUE))


# Materialized, as PostgreSQL may run a subquery with SKIP LOCKED again for each row, and so exceed its LIMIT.
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
    """Queue due jobs, the earliest first, or block those with a limit key until admitted; return how many."""
    return change(PROMOTE, limit=limit)
