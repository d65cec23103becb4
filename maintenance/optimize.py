"""Keep the database quick: statistics for its planner, the write-ahead log emptied, unused space given back."""

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

# A copy is built and then written into the log: each may be as large as the database.
_SPACE_FACTOR = 2.2
# Of each index; as much as SQLite's own documentation finds enough.
SAMPLE_ROWS = 1000
LOG_BUSY_TIMEOUT_S = 0.5


@dataclass(frozen=True, slots=True)
class OptimizeStep:
    """One thing that was done. note: why it was left out, or what came of it."""

    name: str
    done: bool
    note: str
    took_s: float


def optimize_database(*, connection: BaseDatabaseWrapper, vacuum: bool) -> list[OptimizeStep]:
    """Do what this kind of database gains from; each step by itself, none in a transaction.

    vacuum: also rewrite SQLite's file without its unused pages. Whoever writes meanwhile waits, and is refused after
    the busy timeout. PostgreSQL's VACUUM hinders nobody and is always done.
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
    """Do as much of `optimize_database` as holds nobody up, for every day.

    SQLite: no VACUUM, which locks writers out for as long as it copies; of ANALYZE, which locks them out for as long as
    it reads, only what tables need that changed much, and a sample of each. The log is emptied if it can be at once.
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
            return False, f"{folder} has {free:,} bytes free and would need {int(before * _SPACE_FACTOR):,}"
    with connection.cursor() as cursor:
        # The copy goes to a file: in memory it would be as large as the database.
        cursor.execute("PRAGMA temp_store=FILE")
        try:
            cursor.execute("VACUUM")
        finally:
            cursor.execute("PRAGMA temp_store=MEMORY")
        cursor.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
        after = cursor.fetchone()[0]
    return True, f"{before:,} bytes, now {after:,}"


def truncate_log(connection: BaseDatabaseWrapper) -> tuple[bool, str]:
    """Write SQLite's log into the file and empty it; return whether that was possible, and why not."""
    if database_path(connection) is None:
        return False, "there is none"
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        busy, _, _ = cursor.fetchone()
    return not busy, "somebody reads from it" if busy else ""
