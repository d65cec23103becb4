"""Database optimization: VACUUM, planner statistics and truncation of the write-ahead log."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.db.backends.base.base import BaseDatabaseWrapper

from core.database import busy_timeout
from maintenance.stats import database_path, size_of

# VACUUM writes a copy and then the WAL: each may be as large as the database.
_SPACE_FACTOR = 2.2
# Rows that ANALYZE reads of each index, as SQLite's documentation recommends.
SAMPLE_ROWS = 1000
LOG_BUSY_TIMEOUT_S = 0.5


@dataclass(frozen=True, slots=True)
class OptimizeStep:
    """One step of an optimization. note: its result, or why it was skipped."""

    name: str
    done: bool
    note: str
    took_s: float


def optimize_database(*, connection: BaseDatabaseWrapper, vacuum: bool) -> list[OptimizeStep]:
    """Optimize the database for its vendor; no step runs in a transaction.

    vacuum: also rewrite SQLite's file without its unused pages. Writers wait for that, and fail after the busy
    timeout. PostgreSQL's VACUUM blocks neither reads nor writes and always runs.
    """
    if connection.vendor == "postgresql":
        return [_timed("vacuum analyze", lambda: _run(connection, "VACUUM (ANALYZE)"))]
    steps = [_timed("vacuum", lambda: _vacuum(connection))] if vacuum else []
    return [
        *steps,
        _timed("analyze", lambda: _run(connection, "ANALYZE")),
        _timed("optimize", lambda: _run(connection, "PRAGMA optimize")),
        _timed("truncate log", lambda: truncate_log(connection)),
    ]


def optimize_database_online(*, connection: BaseDatabaseWrapper) -> list[OptimizeStep]:
    """Run the parts of `optimize_database` that do not block writers, for nightly use.

    SQLite: no VACUUM, which locks writers out while it copies. ANALYZE, which locks them out while it reads, covers
    only tables that changed much, and samples those. The WAL is truncated only if that is possible at once.
    """
    if connection.vendor == "postgresql":
        return optimize_database(connection=connection, vacuum=False)
    with busy_timeout(LOG_BUSY_TIMEOUT_S):
        return [
            _timed("optimize", lambda: _run(connection, f"PRAGMA analysis_limit={SAMPLE_ROWS}", "PRAGMA optimize")),
            _timed("truncate log", lambda: truncate_log(connection)),
        ]


def _timed(name: str, work: Callable[[], tuple[bool, str]]) -> OptimizeStep:
    began = time.perf_counter()
    done, note = work()
    return OptimizeStep(name, done, note, round(time.perf_counter() - began, 3))


def _run(connection: BaseDatabaseWrapper, *statements: str) -> tuple[bool, str]:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    return True, ""


def _vacuum(connection: BaseDatabaseWrapper) -> tuple[bool, str]:
    path = database_path(connection)
    if path is None:
        return False, "the database is in memory"
    before = size_of(path)
    for folder in (path.parent, Path(tempfile.gettempdir())):
        free = shutil.disk_usage(folder).free
        if free < before * _SPACE_FACTOR:
            return False, f"{folder} has {free:,} bytes free and needs {int(before * _SPACE_FACTOR):,}"
    with connection.cursor() as cursor:
        # Not in memory: the copy may be as large as the database.
        cursor.execute("PRAGMA temp_store=FILE")
        try:
            cursor.execute("VACUUM")
        finally:
            cursor.execute("PRAGMA temp_store=MEMORY")
        cursor.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
        after = cursor.fetchone()[0]
    return True, f"{before:,} bytes, now {after:,}"


def truncate_log(connection: BaseDatabaseWrapper) -> tuple[bool, str]:
    """Checkpoint and truncate SQLite's WAL; return whether that was possible, and otherwise why not."""
    if database_path(connection) is None:
        return False, "the database has no log file"
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        busy, _, _ = cursor.fetchone()
    return not busy, "another connection is using it" if busy else ""
