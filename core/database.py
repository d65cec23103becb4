"""Helpers for the database connection, and its transient errors as clients see them."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import OperationalError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from core.exceptions import Unavailable

PRAGMAS = ("journal_mode", "synchronous", "cache_size", "mmap_size", "busy_timeout", "foreign_keys", "page_size")


def effective_pragmas(connection: BaseDatabaseWrapper) -> dict[str, str | int]:
    """Return the PRAGMA values in effect on SQLite; empty on other databases.

    cache_size is negative KiB; mmap_size is bytes, and may be less than configured if the library caps it.
    """
    if connection.vendor != "sqlite":
        return {}
    with connection.cursor() as cursor:
        values: dict[str, str | int] = {}
        for name in PRAGMAS:
            cursor.execute(f"PRAGMA {name}")
            row = cursor.fetchone()
            # An in-memory database has no memory map and returns no row.
            values[name] = row[0] if row else 0
    return values


def database_file() -> str:
    """Return the path of the SQLite file; empty on other databases and for a database in memory."""
    connection = connections["default"]
    name = str(connection.settings_dict["NAME"])
    return "" if connection.vendor != "sqlite" or name.startswith(("file:", ":memory:")) else name


class DatabaseBusy(Unavailable):
    """Another writer holds the database."""

    code = "database_busy"


class DiskFull(Unavailable):
    """The disk of the service is full."""

    code = "disk_full"
    retry_after_s = 10


_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
_DISK_FULL_STATE = "53100"
# SQLite cannot work with less: it grows its shared memory by 32 KiB, and its log by a transaction.
_USABLE_BYTES = 256 * 1024


def transient_error(error: BaseException) -> Unavailable | None:
    """Return the client's error for a database lock or a full disk; None for any other failure."""
    if isinstance(error, OSError):
        return DiskFull() if error.errno in _NO_SPACE else None
    if not isinstance(error, OperationalError):
        return None
    text = str(error)
    if "locked" in text or "lock timeout" in text:
        return DatabaseBusy()
    return DiskFull() if _is_full(error, text) else None


def _is_full(error: OperationalError, text: str) -> bool:
    if "disk is full" in text or getattr(error.__cause__, "sqlstate", None) == _DISK_FULL_STATE:
        return True
    # SQLite's errors if its shared memory cannot grow, or a file beside the database cannot be created.
    if "disk I/O error" not in text and "unable to open database file" not in text:
        return False
    path = database_file()
    return bool(path) and free_bytes(Path(path).parent) < _USABLE_BYTES


def free_bytes(folder: Path) -> int:
    """Return the free space of this user on the disk of a folder. Raises OSError."""
    return shutil.disk_usage(folder).free


@contextmanager
def busy_timeout(seconds: float) -> Iterator[None]:
    """Set how long SQLite waits for other writers in the block; other databases are unaffected."""
    _set_busy_timeout(seconds)
    try:
        yield
    finally:
        _set_busy_timeout(connection.settings_dict["OPTIONS"].get("timeout", 5))


def _set_busy_timeout(seconds: float) -> None:
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        connection.connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
