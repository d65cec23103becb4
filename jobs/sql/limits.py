"""SQL of limits by key: jobs over the limit of their key are blocked until others end."""

# ruff: noqa: S608 - interpolates only constants of this package
from __future__ import annotations

from jobs.notify import notify_workers_on_commit
from jobs.sql.database import IS_POSTGRESQL, NOW, SKIP_LOCKED, change, fetch

# The jobs that count against a limit; the condition of idx_jobs_limit_key.
_COUNTED = "status IN ('queued', 'running') AND limit_key IS NOT NULL"

# PostgreSQL: locks the admission of a key until the transaction ends, as two concurrent transactions would both count a
# free place. It does not wait, as the transaction may hold other locks: the job then stays blocked until housekeeping
# admits it.
TRY_LOCK_KEY = "SELECT pg_try_advisory_xact_lock(hashtextextended('renderowl.jobs.limit:' || %(key)s, 0))"
# The limit of a key and how many jobs count against it. The limit is the KeyLimit's or else the first blocked job's;
# NULL if nothing is blocked.
KEY_USAGE = f"""
    SELECT
        (SELECT coalesce((SELECT limit_running FROM jobs_keylimit WHERE limit_key = %(key)s), limit_running)
         FROM jobs_job WHERE limit_key = %(key)s AND status = 'blocked' ORDER BY priority, scheduled_at, id LIMIT 1),
        (SELECT count(*) FROM jobs_job WHERE limit_key = %(key)s AND {_COUNTED})
"""
ADMIT = f"""
    WITH admitted AS MATERIALIZED (
        SELECT id FROM jobs_job WHERE limit_key = %(key)s AND status = 'blocked'
        ORDER BY priority, scheduled_at, id LIMIT %(count)s {SKIP_LOCKED}
    )
    UPDATE jobs_job SET status = 'queued', queued_at = {NOW}
    WHERE status = 'blocked' AND id IN (SELECT id FROM admitted)
"""


def admit(limit_key: str) -> int:
    """Queue the first blocked jobs of a key up to its limit; return how many.

    This is the only way for a job with a limit to be queued, one transaction at a time for each key, so the queued and
    running jobs never exceed the limit, and a claim need not check it.
    """
    if IS_POSTGRESQL and not fetch(TRY_LOCK_KEY, key=limit_key)[0][0]:
        return 0
    ((limit, used),) = fetch(KEY_USAGE, key=limit_key)
    if limit is None or used >= limit:
        return 0
    admitted = change(ADMIT, key=limit_key, count=limit - used)
    if admitted:
        notify_workers_on_commit()
    return admitted


DEMOTE = f"""
    WITH later AS MATERIALIZED (
        SELECT id FROM jobs_job
        WHERE limit_key = %(key)s AND {_COUNTED} AND status = 'queued' AND priority > %(priority)s {SKIP_LOCKED}
    )
    UPDATE jobs_job SET status = 'blocked', queued_at = NULL
    WHERE status = 'queued' AND id IN (SELECT id FROM later)
"""


def demote(limit_key: str, priority: int) -> int:
    """Block queued jobs of a key with a lower priority, to be admitted again in order; return how many."""
    return change(DEMOTE, key=limit_key, priority=priority)


# A loose index scan from key to key, as DISTINCT would read every blocked job.
LIST_ADMISSIBLE = f"""
    WITH RECURSIVE blocked(name) AS (
        SELECT (SELECT min(limit_key) FROM jobs_job WHERE status = 'blocked')
        UNION ALL
        SELECT (SELECT min(limit_key) FROM jobs_job WHERE status = 'blocked' AND limit_key > blocked.name)
        FROM blocked WHERE blocked.name IS NOT NULL
    )
    SELECT name FROM blocked WHERE name IS NOT NULL AND (
        SELECT count(*) FROM jobs_job WHERE limit_key = blocked.name AND {_COUNTED}
    ) < (
        SELECT coalesce((SELECT own.limit_running FROM jobs_keylimit AS own WHERE own.limit_key = blocked.name),
                        jobs_job.limit_running)
        FROM jobs_job WHERE limit_key = blocked.name AND status = 'blocked'
        ORDER BY priority, scheduled_at, id LIMIT 1
    )
"""


def list_admissible() -> list[str]:
    """Return the keys that have blocked jobs and are below their limit."""
    return [row[0] for row in fetch(LIST_ADMISSIBLE)]
