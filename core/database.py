"""Facts about the database connection in use."""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper

PRAGMAS = ("journal_mode", "synchronous", "cache_size", "mmap_size", "busy_timeout", "foreign_keys", "page_size")


def effective_pragmas(connection: BaseDatabaseWrapper) -> dict[str, str | int]:
    """Return what SQLite made of the settings asked for; empty on other databases.

    cache_size is negative KiB; mmap_size is bytes, and may be less than asked where the library caps it.
    """
    if connection.vendor != "sqlite":
        return {}
    with connection.cursor() as cursor:
        values: dict[str, str | int] = {}
        for name in PRAGMAS:
            cursor.execute(f"PRAGMA {name}")
            row = cursor.fetchone()
            # An in-memory database has no memory map and answers nothing.
            values[name] = row[0] if row else 0
    return values
