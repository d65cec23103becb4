"""Rate limit store in a SQLite file of its own, for the processes of one machine.

Separate from the main database, so that counting a request never waits for its transactions nor delays them.
The file is never flushed to disk: after a crash of the machine the buckets are full again.
"""

# ruff: noqa: S608 - only constants of this module are interpolated
from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

from api.ratelimit.buckets import SECOND_US, RateLimit
from api.ratelimit.store import LimitStoreBusy, LimitStoreUnavailable, TakeResult, ThrottleRule, ThrottleState
from core.sidecar import SidecarDatabase

# A writer holds the lock for some ten microseconds; a request that waits longer than this passes uncounted.
BUSY_TIMEOUT_S = 0.25
# Longer, as several threads and processes may create the file at the same time.
OPEN_TIMEOUT_S = 5.0
SWEEP_INTERVAL_S = 60.0
SWEEP_BATCH_SIZE = 5000
_SCHEMA = """
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = OFF;
    CREATE TABLE IF NOT EXISTS bucket (id TEXT PRIMARY KEY, full_at INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS login_throttle (
        id TEXT PRIMARY KEY, failures INTEGER NOT NULL, blocked_until INTEGER NOT NULL, expires_at INTEGER NOT NULL
    ) WITHOUT ROWID;
"""


def wall_clock_us() -> int:
    """Return the time in microseconds since 1970, from the clock that all processes of a machine share."""
    return time.time_ns() // 1000


@lru_cache(maxsize=16)
def _take_text(count: int) -> str:
    """Return the statement that takes from `count` buckets, or from none of them.

    Parameters: id, step, depth for each; then the time three times. A single statement takes the write lock before it
    reads, so that no other process can write in between.
    """
    rows = ", ".join(["(?, ?, ?)"] * count)
    return f"""
        WITH wanted(id, step, depth) AS (VALUES {rows}),
        state AS (
            SELECT wanted.id, step, depth, min(max(coalesce(full_at, 0), ?), ? + depth) AS full_at
            FROM wanted LEFT JOIN bucket ON bucket.id = wanted.id
        )
        INSERT INTO bucket (id, full_at)
        SELECT id, full_at + step FROM state
        WHERE NOT EXISTS (SELECT 1 FROM state WHERE full_at + step > ? + depth)
        ON CONFLICT (id) DO UPDATE SET full_at = excluded.full_at
        RETURNING id, full_at
    """


@lru_cache(maxsize=16)
def _read_text(count: int) -> str:
    return f"SELECT id, full_at FROM bucket WHERE id IN ({', '.join('?' * count)})"


def _unavailable(text: str) -> LimitStoreUnavailable:
    return (LimitStoreBusy if "locked" in text else LimitStoreUnavailable)(text)


class SqliteLimitStore:
    """Buckets and login throttles in one file."""

    def __init__(self, path: Path, *, clock_us: Callable[[], int] = wall_clock_us) -> None:
        """path: of the file, which is created on first use."""
        self._file = SidecarDatabase(
            path, _SCHEMA, busy_timeout_s=BUSY_TIMEOUT_S, open_timeout_s=OPEN_TIMEOUT_S, unavailable=_unavailable
        )
        self._clock_us = clock_us
        self._sweep_at = time.monotonic() + SWEEP_INTERVAL_S

    def take(self, limits: Sequence[RateLimit]) -> TakeResult:
        """Take one unit from all buckets, or from none."""
        now = self._clock_us()
        values: list[str | int] = []
        for limit in limits:
            values += (limit.partition, limit.step_us, limit.policy.depth_us)
        with self._file as connection:
            found = dict(connection.execute(_take_text(len(limits)), [*values, now, now, now]).fetchall())
            allowed = bool(found)
            if not allowed:
                found = self._read(connection, limits)
            if time.monotonic() >= self._sweep_at:
                self._sweep(connection, now)
        return TakeResult(allowed, now, [found.get(limit.partition) for limit in limits])

    def peek(self, limits: Sequence[RateLimit]) -> TakeResult:
        """Return the state of buckets."""
        with self._file as connection:
            found = self._read(connection, limits)
        return TakeResult(True, self._clock_us(), [found.get(limit.partition) for limit in limits])

    def record_failure(self, subject: str, rule: ThrottleRule) -> int:
        """Count an attempt before it is made; return for how many microseconds it is refused, 0 if it may proceed."""
        now = self._clock_us()
        with self._file as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                row = connection.execute(
                    "SELECT failures, blocked_until, expires_at FROM login_throttle WHERE id = ?", [subject]
                ).fetchone()
                after, wait_us = rule(ThrottleState(*row) if row else None, now)
                if after is not None and not wait_us:
                    values = [subject, after.failures, after.blocked_until_us, after.expires_at_us]
                    connection.execute("INSERT OR REPLACE INTO login_throttle VALUES (?, ?, ?, ?)", values)
            finally:
                # There is nothing to roll back, and the lock must be released in any case.
                connection.execute("COMMIT")
        return wait_us

    def reset(self, subject: str) -> None:
        """Delete the failed attempts of a subject."""
        with self._file as connection:
            connection.execute("DELETE FROM login_throttle WHERE id = ?", [subject])

    def close(self) -> None:
        """Close the connection of the calling thread."""
        self._file.close()

    def _read(self, connection: sqlite3.Connection, limits: Sequence[RateLimit]) -> dict[str, int]:
        rows = connection.execute(_read_text(len(limits)), [limit.partition for limit in limits])
        return dict(rows.fetchall())

    def _sweep(self, connection: sqlite3.Connection, now: int) -> None:
        """Delete a batch of full buckets and of expired login throttles."""
        self._sweep_at = time.monotonic() + SWEEP_INTERVAL_S
        for table, column in (("bucket", "full_at"), ("login_throttle", "expires_at")):
            connection.execute(
                f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE {column} < ? LIMIT ?)",
                [now - SECOND_US, SWEEP_BATCH_SIZE],
            )
