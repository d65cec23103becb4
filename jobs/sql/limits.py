"""Statements about limits by key: what is over the limit is blocked until there is room."""

# ruff: noqa: S608 - only constants of this package are put into the texts
from __future__ import annotations

from jobs.notify import notify_workers_on_commit
from jobs.sql.database import IS_POSTGRESQL, NOW, SKIP_LOCKED, change, fetch

# Of one key, as idx_jobs_limit_key counts it.
_AT_WORK = "status IN ('queued', 'running') AND limit_key IS NOT NULL"

# PostgreSQL: become the only one that admits jobs of a key until the transaction ends, or learn that another does. Two
# that counted at one time would both find room. No transaction waits here, holding other rows: the later one leaves
# the job blocked, and the housekeeping looks again.
TRY_LIMIT = "SELECT pg_try_advisory_xact_lock(hashtextextended('renderowl.jobs.limit:' || %(key)s, 0))"
# The limit of a key, NULL where nothing is blocked under it, and how many are at work. It is the limit that the best
# blocked job has, unless the key has a limit of its own.
ROOM = f"""
    SELECT
        (SELECT coalesce((SELECT limit_running FROM jobs_keylimit WHERE limit_key = %(key)s), limit_running)
         FROM jobs_job WHERE limit_key = %(key)s AND status = 'blocked' ORDER BY priority, scheduled_at, id LIMIT 1),
        (SELECT count(*) FROM jobs_job WHERE limit_key = %(key)s AND {_AT_WORK})
"""
ADMIT = f"""
    WITH best AS MATERIALIZED (
        SELECT id FROM jobs_job WHERE limit_key = %(key)s AND status = 'blocked'
        ORDER BY priority, scheduled_at, id LIMIT %(room)s {SKIP_LOCKED}
    )
    UPDATE jobs_job SET status = 'queued', queued_at = {NOW}
    WHERE status = 'blocked' AND id IN (SELECT id FROM best)
"""


def admit(limit_key: str) -> int:
    """Queue the best blocked jobs of a key as far as its limit allows; return how many.

    Only this makes a job with a limit queued, in a transaction and one process at a time: what is queued or running
    never exceeds the limit, and the claim need not look at it.
    """
    if IS_POSTGRESQL and not fetch(TRY_LIMIT, key=limit_key)[0][0]:
        return 0
    ((limit, at_work),) = fetch(ROOM, key=limit_key)
    if limit is None or at_work >= limit:
        return 0
    admitted = change(ADMIT, key=limit_key, room=limit - at_work)
    if admitted:
        notify_workers_on_commit()
    return admitted


DEMOTE = f"""
    WITH later AS MATERIALIZED (
        SELECT id FROM jobs_job
        WHERE limit_key = %(key)s AND {_AT_WORK} AND status = 'queued' AND priority > %(priority)s {SKIP_LOCKED}
    )
    UPDATE jobs_job SET status = 'blocked', queued_at = NULL
    WHERE status = 'queued' AND id IN (SELECT id FROM later)
"""


def demote(limit_key: str, priority: int) -> int:
    """Block queued jobs of a key that are less urgent, to be admitted again in their turn; return how many."""
    return change(DEMOTE, key=limit_key, priority=priority)


# Steps from key to key, as a DISTINCT would read every blocked job of every key.
LIST_ADMISSIBLE = f"""
    WITH RECURSIVE blocked(name) AS (
        SELECT (SELECT min(limit_key) FROM jobs_job WHERE status = 'blocked')
        UNION ALL
        SELECT (SELECT min(limit_key) FROM jobs_job WHERE status = 'blocked' AND limit_key > blocked.name)
        FROM blocked WHERE blocked.name IS NOT NULL
    )
    SELECT name FROM blocked WHERE name IS NOT NULL AND (
        SELECT count(*) FROM jobs_job WHERE limit_key = blocked.name AND {_AT_WORK}
    ) < (
        SELECT coalesce((SELECT own.limit_running FROM jobs_keylimit AS own WHERE own.limit_key = blocked.name),
                        jobs_job.limit_running)
        FROM jobs_job WHERE limit_key = blocked.name AND status = 'blocked'
        ORDER BY priority, scheduled_at, id LIMIT 1
    )
"""


def list_admissible() -> list[str]:
    """Return the keys that have blocked jobs and room for them."""
    return [row[0] for row in fetch(LIST_ADMISSIBLE)]
