"""Rate limits in a SQLite file of their own, for all processes of one machine.

Apart from the main database, so that counting a request never waits for a render's transaction nor makes one wait.
Nothing here is worth a disk flush: after a crash of the machine the buckets are full again.
"""

# ruff: noqa: S608 - only the constants of this module are put into the texts
from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

from core.ratelimit import penalties
from core.ratelimit.buckets import SECOND_US, Limit
from core.ratelimit.penalties import Penalty
from core.ratelimit.stores import StoreBusy, StoreUnavailable, Taken

# A writer holds the file for some ten microseconds; who cannot get in for this long lets the request pass.
BUSY_LIMIT_S = 0.25
# Opening makes the file where there is none, which several threads and processes may do together.
OPEN_LIMIT_S = 5.0
SWEEP_EVERY_S = 60.0
SWEPT_AT_ONCE = 5000
_SCHEMA = """
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = OFF;
    CREATE TABLE IF NOT EXISTS bucket (id TEXT PRIMARY KEY, full_at INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS penalty (
        id TEXT PRIMARY KEY, failures INTEGER NOT NULL, closed_until INTEGER NOT NULL, forget_at INTEGER NOT NULL
    ) WITHOUT ROWID;
"""


def wall_clock_us() -> int:
    """Return the time in microseconds since 1970: the clock that all processes of a machine share."""
    return time.time_ns() // 1000


@lru_cache(maxsize=16)
def _take_text(count: int) -> str:
    """Return the statement that takes from so many buckets at once, or from none of them.

    Parameters: id, step, depth for each; then the time three times. One statement takes the write lock before it
    reads, so that no other process can come in between.
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


class SqliteStore:
    """One connection a thread, opened once."""

    def __init__(self, path: Path, *, clock_us: Callable[[], int] = wall_clock_us) -> None:
        """path: the file, made when first needed."""
        self._path = path
        self._clock_us = clock_us
        self._local = threading.local()
        self._sweep_at = time.monotonic() + SWEEP_EVERY_S

    def take(self, limits: Sequence[Limit]) -> Taken:
        """Take one unit from all buckets, or from none."""
        now = self._clock_us()
        values: list[str | int] = []
        for limit in limits:
            values += (limit.partition, limit.step_us, limit.policy.depth_us)
        with self._connected() as connection:
            found = dict(connection.execute(_take_text(len(limits)), [*values, now, now, now]).fetchall())
            allowed = bool(found)
            if not allowed:
                found = self._read(connection, limits)
            if time.monotonic() >= self._sweep_at:
                self._sweep(connection, now)
        return Taken(allowed, now, [found.get(limit.partition) for limit in limits])

    def peek(self, limits: Sequence[Limit]) -> Taken:
        """Look at buckets."""
        with self._connected() as connection:
            found = self._read(connection, limits)
        return Taken(True, self._clock_us(), [found.get(limit.partition) for limit in limits])

    def attempt(self, subject: str) -> int:
        """Count a login that begins; return for how many microseconds it is refused, 0 if it may go on."""
        now = self._clock_us()
        with self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                row = connection.execute(
                    "SELECT failures, closed_until, forget_at FROM penalty WHERE id = ?", [subject]
                ).fetchone()
                after, wait_us = penalties.attempt(Penalty(*row) if row else None, now)
                if after is not None and not wait_us:
                    values = [subject, after.failures, after.closed_until_us, after.forget_at_us]
                    connection.execute("INSERT OR REPLACE INTO penalty VALUES (?, ?, ?, ?)", values)
            finally:
                # Nothing is worth undoing, and the lock must go in every case.
                connection.execute("COMMIT")
        return wait_us

    def forgive(self, subject: str) -> None:
        """Forget the failures of a subject."""
        with self._connected() as connection:
            connection.execute("DELETE FROM penalty WHERE id = ?", [subject])

    def close(self) -> None:
        """Close the connection of the calling thread."""
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    def _read(self, connection: sqlite3.Connection, limits: Sequence[Limit]) -> dict[str, int]:
        rows = connection.execute(_read_text(len(limits)), [limit.partition for limit in limits])
        return dict(rows.fetchall())

    def _sweep(self, connection: sqlite3.Connection, now: int) -> None:
        """Delete some of the buckets that are full and the penalties that are void: they say nothing."""
        self._sweep_at = time.monotonic() + SWEEP_EVERY_S
        for table, column in (("bucket", "full_at"), ("penalty", "forget_at")):
            connection.execute(
                f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE {column} < ? LIMIT ?)",
                [now - SECOND_US, SWEPT_AT_ONCE],
            )

    def _connected(self) -> _Using:
        """Give the thread's connection for a block; after an error the next one opens a new connection."""
        return _Using(self)

    def thread_connection(self) -> sqlite3.Connection:
        """Return the connection of the calling thread.

        Raises sqlite3.Error or OSError.
        """
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        # A connection must not cross a fork.
        if connection is None or self._local.pid != os.getpid():
            connection = self._local.connection = self._open()
            self._local.pid = os.getpid()
        return connection

    def let_go(self) -> None:
        """Forget the connection of the calling thread."""
        self._local.connection = None

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=OPEN_LIMIT_S, isolation_level=None)
        connection.executescript(_SCHEMA)
        connection.execute(f"PRAGMA busy_timeout = {int(BUSY_LIMIT_S * 1000)}").fetchall()
        return connection


class _Using:
    """A block that uses the thread's connection. A class, as it costs every request less than a generator does."""

    __slots__ = ("_store",)

    def __init__(self, store: SqliteStore) -> None:
        self._store = store

    def __enter__(self) -> sqlite3.Connection:
        try:
            return self._store.thread_connection()
        except (sqlite3.Error, OSError) as error:
            raise self._unavailable(error) from error

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.Error | OSError):
            raise self._unavailable(error) from error

    def _unavailable(self, error: BaseException) -> StoreUnavailable:
        self._store.let_go()
        return (StoreBusy if "locked" in str(error) else StoreUnavailable)(str(error))
