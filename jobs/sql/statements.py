"""The texts, in the dialects of both databases.

Rules that all of them keep: the time is the database's, never the worker's; a status in a WHERE clause is a
literal, or the partial indexes are not used; no `%` but the placeholders, as a doubled one is read differently with
and without parameters.

Every write to a running job is fenced: it names the worker and the attempt, and changes nothing once another
attempt has begun.
"""

# ruff: noqa: S608 - only the constants of this module are put into the texts
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one database spells what the statements need.

    now: the time at the start of the statement; shift: the same moved by a parameter in seconds;
    elapsed: seconds since `started_at`; skip_locked: passes over rows that another transaction holds; lock: waits for
    them; json: a parameter that holds JSON text.
    """

    now: str
    shift: str
    elapsed: str
    skip_locked: str
    lock: str
    json: str


# Django writes times to SQLite as text, `2026-11-23 12:00:00.123456`; this form sorts with it.
SQLITE = Dialect(
    now="datetime('now', 'subsec')",
    shift="datetime('now', 'subsec', %s || ' seconds')",
    elapsed="unixepoch('now', 'subsec') - unixepoch(started_at, 'subsec')",
    skip_locked="",
    lock="",
    json="%s",
)
# The time of the statement: that of the transaction may lie far back, that of the clock is no use to an index.
POSTGRESQL = Dialect(
    now="statement_timestamp()",
    shift="statement_timestamp() + make_interval(secs => %s)",
    elapsed="extract(epoch FROM statement_timestamp() - started_at)",
    skip_locked="FOR UPDATE SKIP LOCKED",
    lock="FOR UPDATE",
    json="%s::jsonb",
)

SNAPSHOT_COLUMNS = (
    "id, queue, type, priority, payload, attempts, failures, lost, max_attempts, timeout_s, worker, user_id, "
    "reference, traceparent, request_id, limit_key"
)
FENCE = "id = %s AND status = 'running' AND worker = %s AND attempts = %s"


@dataclass(frozen=True, slots=True)
class Statements:
    """The texts for one dialect."""

    claim: str
    lock_limited_queue: str
    ready: str
    end: str
    retry: str
    requeue: str
    requeue_expired: str
    end_expired: str
    record_attempt: str
    leave_at_once: str
    renew: str
    watch: str
    lock: str
    any_due: str
    promote: str
    expired: str
    expire_worker: str
    held: str
    try_limit: str
    room: str
    admit: str
    demote: str
    admissible: str


def build(dialect: Dialect) -> Statements:
    """Return the statements of a dialect."""
    expired = f"AND lease_expires_at <= {dialect.now}"
    end = _end(dialect)
    requeue = _requeue()
    return Statements(
        claim=_claim(dialect),
        lock_limited_queue=_lock_limited_queue(),
        ready=_ready(),
        end=end,
        end_expired=f"{end} {expired}",
        retry=_retry(dialect),
        requeue=requeue,
        requeue_expired=f"{requeue} {expired}",
        record_attempt=_record_attempt(dialect),
        leave_at_once=_leave_at_once(dialect),
        renew=_renew(dialect),
        watch=_watch(),
        lock=f"{_watch()} {dialect.lock}",
        any_due=_any_due(dialect),
        promote=_promote(dialect),
        expired=_expired(dialect),
        expire_worker=_expire_worker(dialect),
        held=_held(dialect),
        try_limit=_try_limit(),
        room=_room(),
        admit=_admit(dialect),
        demote=_demote(dialect),
        admissible=_admissible(),
    )


def _claim(dialect: Dialect) -> str:
    """Lease the best queued job of a queue that is open and below its limit.

    Parameters: worker, lease in seconds, queue, queue. One statement takes the write lock of SQLite before it reads,
    so that nobody can take the same row in between.
    """
    return f"""
        UPDATE jobs_job
        SET status = 'running', worker = %s, attempts = attempts + 1,
            started_at = {dialect.now}, lease_expires_at = {dialect.shift}
        WHERE id = (
            SELECT id FROM jobs_job
            WHERE queue = %s AND status = 'queued' AND NOT EXISTS (
                SELECT 1 FROM jobs_queuestate AS state
                WHERE state.name = %s AND (state.paused OR state.max_running <= (
                    SELECT count(*) FROM jobs_job AS other
                    WHERE other.queue = state.name AND other.status = 'running'
                ))
            )
            ORDER BY priority, scheduled_at, id
            LIMIT 1 {dialect.skip_locked}
        )
        RETURNING {SNAPSHOT_COLUMNS}
    """


def _lock_limited_queue() -> str:
    """Make claims of a limited queue wait for each other, or two could count the same running jobs (PostgreSQL).

    Parameter: queue.
    """
    return "SELECT 1 FROM jobs_queuestate WHERE name = %s AND max_running IS NOT NULL FOR UPDATE"


def _ready() -> str:
    """Say whether a queue has a job to claim: a read. Parameter: queue.

    Ordered like the claim: without an order PostgreSQL may read the table from its front, over all finished jobs.
    """
    return """
        SELECT 1 FROM jobs_job WHERE queue = %s AND status = 'queued'
        ORDER BY priority, scheduled_at, id LIMIT 1
    """


def _end(dialect: Dialect) -> str:
    """Bring a running job to a final status.

    Parameters: status, more failures, more lost, error, result, then the fence.
    """
    return f"""
        UPDATE jobs_job
        SET status = %s, failures = failures + %s, lost = lost + %s, error = {dialect.json}, result = {dialect.json},
            finished_at = {dialect.now}, lease_expires_at = NULL
        WHERE {FENCE}
    """


def _retry(dialect: Dialect) -> str:
    """Have a running job wait for its next attempt.

    Parameters: delay in seconds, more failures, error, then the fence.
    """
    return f"""
        UPDATE jobs_job
        SET status = 'scheduled', scheduled_at = {dialect.shift}, failures = failures + %s,
            error = {dialect.json}, worker = '', lease_expires_at = NULL
        WHERE {FENCE}
    """


def _requeue() -> str:
    """Give a running job back to its old place in the queue.

    Parameters: more lost, then the fence.
    """
    return f"""
        UPDATE jobs_job
        SET status = 'queued', lost = lost + %s, worker = '', lease_expires_at = NULL
        WHERE {FENCE}
    """


def _record_attempt(dialect: Dialect) -> str:
    """Keep the attempt that a job is about to leave; run in the same transaction, before the job is changed.

    Parameters: id of the row, outcome, error, then the fence.
    """
    return f"""
        INSERT INTO jobs_jobattempt
            (id, created_at, job_id, number, worker, outcome, error, started_at, finished_at)
        SELECT %s, {dialect.now}, id, attempts, worker, %s, {dialect.json}, started_at, {dialect.now}
        FROM jobs_job WHERE {FENCE}
    """


def _leave_at_once(dialect: Dialect) -> str:
    """Do one of the statements that end an attempt and keep the attempt, in one (PostgreSQL).

    `{change}` stands for that statement, whose parameters come first; then id of the row, outcome, error.
    """
    return f"""
        WITH gone AS ({{change}} RETURNING id, attempts, worker, started_at)
        INSERT INTO jobs_jobattempt
            (id, created_at, job_id, number, worker, outcome, error, started_at, finished_at)
        SELECT %s, {dialect.now}, id, attempts, worker, %s, {dialect.json}, started_at, {dialect.now} FROM gone
    """


def _renew(dialect: Dialect) -> str:
    """Renew a lease, and say whether the job is to be cancelled. Parameters: lease in seconds, then the fence."""
    return f"""
        UPDATE jobs_job SET lease_expires_at = {dialect.shift}
        WHERE {FENCE} RETURNING cancel_requested_at IS NOT NULL
    """


def _watch() -> str:
    """Say whether a held job is to be cancelled; no row once it is lost. Parameters: the fence."""
    return f"SELECT cancel_requested_at IS NOT NULL FROM jobs_job WHERE {FENCE}"


def _any_due(dialect: Dialect) -> str:
    """Say whether any scheduled job is due: a read, so that an idle promoter takes no lock."""
    return f"""
        SELECT 1 FROM jobs_job WHERE status = 'scheduled' AND scheduled_at <= {dialect.now}
        ORDER BY scheduled_at LIMIT 1
    """


def _promote(dialect: Dialect) -> str:
    """Queue scheduled jobs that are due, the earliest first; those with a limit are to be admitted. Parameter: how many
    at most.

    Materialized, as PostgreSQL may run a subquery in a condition once for each row, each time past other locks.
    """
    return f"""
        WITH due AS MATERIALIZED (
            SELECT id FROM jobs_job WHERE status = 'scheduled' AND scheduled_at <= {dialect.now}
            ORDER BY scheduled_at LIMIT %s {dialect.skip_locked}
        )
        UPDATE jobs_job
        SET status = CASE WHEN limit_key IS NULL THEN 'queued' ELSE 'blocked' END, queued_at = {dialect.now}
        WHERE status = 'scheduled' AND id IN (SELECT id FROM due)
    """


def _expired(dialect: Dialect) -> str:
    """List jobs whose worker has not been heard of for a lease. Parameter: how many at most."""
    return f"""
        SELECT {SNAPSHOT_COLUMNS}, cancel_requested_at IS NOT NULL FROM jobs_job
        WHERE status = 'running' AND lease_expires_at <= {dialect.now} ORDER BY lease_expires_at LIMIT %s
    """


def _expire_worker(dialect: Dialect) -> str:
    """Let the leases of a slot that is known to be dead run out at once. Parameter: worker."""
    return f"UPDATE jobs_job SET lease_expires_at = {dialect.now} WHERE status = 'running' AND worker = %s"


def _held(dialect: Dialect) -> str:
    """List what a slot holds, and for how many seconds it has run. Parameter: worker."""
    return f"""
        SELECT {SNAPSHOT_COLUMNS}, cancel_requested_at IS NOT NULL, {dialect.elapsed}
        FROM jobs_job WHERE status = 'running' AND worker = %s
    """


# Of one key, as idx_jobs_limit_key counts it.
_AT_WORK = "status IN ('queued', 'running') AND limit_key IS NOT NULL"


def _try_limit() -> str:
    """Become the one that admits jobs of a key until the transaction ends, or say no at once (PostgreSQL).

    Parameter: key. Two that counted at one time would both find room. Nobody waits here, holding other rows: who comes
    too late leaves the job blocked, and the upkeep looks again.
    """
    return "SELECT pg_try_advisory_xact_lock(hashtextextended('renderowl.jobs.limit:' || %s, 0))"


def _room() -> str:
    """Return the limit of a key, NULL where nothing is blocked under it, and how many are at work.

    It is the limit that the best blocked job has, unless the key has a limit of its own. Parameters: key, key, key.
    """
    return f"""
        SELECT
            (SELECT coalesce((SELECT limit_running FROM jobs_keylimit WHERE limit_key = %s), limit_running)
             FROM jobs_job WHERE limit_key = %s AND status = 'blocked' ORDER BY priority, scheduled_at, id LIMIT 1),
            (SELECT count(*) FROM jobs_job WHERE limit_key = %s AND {_AT_WORK})
    """


def _admit(dialect: Dialect) -> str:
    """Queue the best blocked jobs of a key. Parameters: key, how many."""
    return f"""
        WITH best AS MATERIALIZED (
            SELECT id FROM jobs_job WHERE limit_key = %s AND status = 'blocked'
            ORDER BY priority, scheduled_at, id LIMIT %s {dialect.skip_locked}
        )
        UPDATE jobs_job SET status = 'queued', queued_at = {dialect.now}
        WHERE status = 'blocked' AND id IN (SELECT id FROM best)
    """


def _demote(dialect: Dialect) -> str:
    """Block queued jobs of a key again that a more urgent one shall overtake. Parameters: key, its priority."""
    return f"""
        WITH later AS MATERIALIZED (
            SELECT id FROM jobs_job
            WHERE limit_key = %s AND {_AT_WORK} AND status = 'queued' AND priority > %s {dialect.skip_locked}
        )
        UPDATE jobs_job SET status = 'blocked', queued_at = NULL
        WHERE status = 'queued' AND id IN (SELECT id FROM later)
    """


def _admissible() -> str:
    """List the keys that have both blocked jobs and room: a read.

    Steps from key to key, as a DISTINCT would read every blocked job of every key.
    """
    return f"""
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


BY_VENDOR = {"sqlite": build(SQLITE), "postgresql": build(POSTGRESQL)}
