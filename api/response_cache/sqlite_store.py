"""Response cache store in a SQLite file of its own, for the processes of one machine. It is never flushed to disk."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import orjson

from api.response_cache.store import CacheEntry, CacheStoreUnavailable
from core.sidecar import SidecarDatabase

# A request that waits longer than this does without the store.
BUSY_TIMEOUT_S = 0.1
OPEN_TIMEOUT_S = 2.0
SWEEP_INTERVAL_S = 30.0
_PAGE_BYTES = 4096
# Each process also caches entries in memory, as a key and its tag versions always stand for the same response.
MAX_LOCAL_BYTES = 16 * 1024 * 1024
# Share of the limit above which a sweep deletes entries; the file never grows beyond the limit itself.
_FILL_RATIO = 0.8
_SCHEMA = """
    PRAGMA auto_vacuum = INCREMENTAL;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = OFF;
    PRAGMA journal_size_limit = 4194304;
    CREATE TABLE IF NOT EXISTS entry (
        key TEXT PRIMARY KEY, tag_versions TEXT NOT NULL, headers BLOB NOT NULL, body BLOB NOT NULL,
        expires_at REAL NOT NULL
    );
    CREATE INDEX IF NOT EXISTS entry_expires_at ON entry (expires_at);
    CREATE TABLE IF NOT EXISTS single_flight (key TEXT PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID;
"""


class SqliteCacheStore:
    """Cached responses in one file."""

    def __init__(self, path: Path, *, limit_bytes: int, clock: Callable[[], float] = time.time) -> None:
        """path: of the file, which is created on first use. limit_bytes: its maximum size, without its log."""
        self._max_pages = max(64, limit_bytes // _PAGE_BYTES)
        self._file = SidecarDatabase(
            path,
            # The pragma applies to the connection only.
            f"{_SCHEMA} PRAGMA max_page_count = {self._max_pages};",
            busy_timeout_s=BUSY_TIMEOUT_S,
            open_timeout_s=OPEN_TIMEOUT_S,
            unavailable=CacheStoreUnavailable,
        )
        self._clock = clock
        self._sweep_at = time.monotonic() + SWEEP_INTERVAL_S
        self._local = _LocalCache()

    def get_local(self, key: str, tag_versions: str) -> CacheEntry | None:
        """Return the entry if this process has read it with these tag versions and it has not expired."""
        entry, expires_at = self._local.entries.get(key, _MISSING)
        return (
            entry if entry is not None and entry.tag_versions == tag_versions and expires_at > self._clock() else None
        )

    def get(self, key: str) -> CacheEntry | None:
        """Return the entry of a key, None if it is missing or expired."""
        with self._file as connection:
            row = connection.execute(
                "SELECT tag_versions, headers, body, expires_at FROM entry WHERE key = ? AND expires_at > ?",
                (key, self._clock()),
            ).fetchone()
        if row is None:
            return None
        entry = CacheEntry(row[0], orjson.loads(row[1]), row[2])
        self._local.add(key, entry, row[3])
        return entry

    def put(self, key: str, entry: CacheEntry, *, ttl_s: float) -> None:
        """Store an entry, and let the requests that wait for it go on."""
        values = (key, entry.tag_versions, orjson.dumps(entry.headers), entry.body, self._clock() + ttl_s)
        with self._file as connection:
            try:
                self._write(connection, values)
            except sqlite3.OperationalError as error:
                if "full" not in str(error):
                    raise
                self._make_room(connection)
                self._write(connection, values)
            if time.monotonic() >= self._sweep_at:
                self.sweep()

    @staticmethod
    def _write(connection: sqlite3.Connection, values: tuple[object, ...]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.execute("INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?)", values)
            connection.execute("DELETE FROM single_flight WHERE key = ?", values[:1])
            connection.execute("COMMIT")
        except sqlite3.Error:
            # Some errors roll back by themselves.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def acquire(self, key: str, *, lease_s: float) -> bool:
        """Return whether the caller is to fill the entry."""
        now = self._clock()
        with self._file as connection:
            rows = connection.execute(
                "INSERT INTO single_flight VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET until = excluded.until"
                " WHERE until < ? RETURNING key",
                (key, now + lease_s, now),
            ).fetchall()
        return bool(rows)

    def is_acquired(self, key: str) -> bool:
        """Return whether a request is filling the entry."""
        with self._file as connection:
            query = "SELECT 1 FROM single_flight WHERE key = ? AND until >= ?"
            return connection.execute(query, (key, self._clock())).fetchone() is not None

    def release(self, key: str) -> None:
        """Let other requests fill the entry."""
        with self._file as connection:
            connection.execute("DELETE FROM single_flight WHERE key = ?", (key,))

    def clear(self) -> None:
        """Delete all entries."""
        self._local.clear()
        with self._file as connection:
            connection.execute("DELETE FROM entry")
            connection.execute("DELETE FROM single_flight")
            connection.execute("PRAGMA incremental_vacuum").fetchall()

    def sweep(self) -> None:
        """Delete expired entries and, if the file is too full, those that expire soonest."""
        self._sweep_at = time.monotonic() + SWEEP_INTERVAL_S
        now = self._clock()
        with self._file as connection:
            connection.execute("DELETE FROM entry WHERE expires_at <= ?", (now,))
            connection.execute("DELETE FROM single_flight WHERE until < ?", (now,))
            if self._used_pages(connection) > self._max_pages * _FILL_RATIO:
                self._make_room(connection)
            connection.execute("PRAGMA incremental_vacuum").fetchall()

    def size_bytes(self) -> int:
        """Return how many bytes of the file are in use."""
        with self._file as connection:
            return self._used_pages(connection) * _PAGE_BYTES

    @staticmethod
    def _used_pages(connection: sqlite3.Connection) -> int:
        (pages,), (free,) = (
            connection.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "freelist_count")
        )
        return int(pages) - int(free)

    def _make_room(self, connection: sqlite3.Connection) -> None:
        """Delete the half of the entries that expires soonest."""
        connection.execute(
            "DELETE FROM entry WHERE key IN"
            " (SELECT key FROM entry ORDER BY expires_at LIMIT (SELECT (count(*) + 1) / 2 FROM entry))"
        )


_MISSING: tuple[CacheEntry | None, float] = (None, 0.0)


class _LocalCache:
    """Entries that this process has read, with their times of expiry, in the order of reading."""

    def __init__(self) -> None:
        self.entries: dict[str, tuple[CacheEntry | None, float]] = {}
        self._sizes: dict[str, int] = {}
        self._total = 0
        self._lock = threading.Lock()

    def add(self, key: str, entry: CacheEntry, expires_at: float) -> None:
        """Add or replace an entry, and drop the oldest ones if they are too large together."""
        with self._lock:
            self._forget(key)
            self.entries[key], self._sizes[key] = (entry, expires_at), len(entry.body)
            self._total += len(entry.body)
            while self._total > MAX_LOCAL_BYTES:
                self._forget(next(iter(self._sizes)))

    def clear(self) -> None:
        with self._lock:
            for key in list(self._sizes):
                self._forget(key)

    def _forget(self, key: str) -> None:
        if self.entries.pop(key, None) is not None:
            self._total -= self._sizes.pop(key)
