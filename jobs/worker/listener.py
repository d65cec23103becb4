"""Listeners that wait for new jobs: LISTEN on PostgreSQL, polling `data_version` on SQLite."""

from __future__ import annotations

import select
import time

from django.db import connection

from jobs.notify import CHANNEL

# A slot polls at least this often, as a notification may get lost.
FALLBACK_POLL_S = 1.0
# Poll intervals on SQLite by idle time: (idle for less than, interval).
POLL_INTERVALS_S = ((2.0, 0.005), (10.0, 0.010), (float("inf"), 0.020))


class SqliteListener:
    """Polls SQLite for commits of other connections, at 3 us a query."""

    def __init__(self) -> None:
        self._seen = 0
        self._idle_since = time.monotonic()

    def prepare(self) -> None:
        """Remember the current data version."""
        self._seen = self._data_version()

    def wait(self, interrupt: int) -> None:
        """Poll until the data version changes, `interrupt` (a file descriptor) is readable, or a second has passed."""
        started_at = time.monotonic()
        while (now := time.monotonic()) - started_at < FALLBACK_POLL_S:
            interval_s = next(interval for until, interval in POLL_INTERVALS_S if now - self._idle_since < until)
            if select.select([interrupt], [], [], interval_s)[0]:
                return
            if self._data_version() != self._seen:
                return

    def found_work(self) -> None:
        """Return to the shortest interval."""
        self._idle_since = time.monotonic()

    def _data_version(self) -> int:
        connection.ensure_connection()
        with connection.wrap_database_errors:
            version: int = connection.connection.execute("PRAGMA data_version").fetchone()[0]
        return version


class PostgresListener:
    """Listens for the NOTIFY sent when jobs are enqueued."""

    def __init__(self) -> None:
        self._listening_on: object = None

    def prepare(self) -> None:
        """Execute LISTEN, again after a reconnect."""
        connection.ensure_connection()
        if self._listening_on is not connection.connection:
            with connection.cursor() as cursor:
                cursor.execute(f"LISTEN {CHANNEL}")
            self._listening_on = connection.connection

    def wait(self, interrupt: int) -> None:
        """Wait for a notification, until `interrupt` is readable, or for a second."""
        if self._drain():
            return
        select.select([connection.connection.fileno(), interrupt], [], [], FALLBACK_POLL_S)
        self._drain()

    def found_work(self) -> None:
        """Do nothing, as there are no intervals to reset."""

    def _drain(self) -> int:
        with connection.wrap_database_errors:
            return sum(1 for _ in connection.connection.notifies(timeout=0))


def make_listener() -> SqliteListener | PostgresListener:
    """Return the listener for the database in use."""
    return PostgresListener() if connection.vendor == "postgresql" else SqliteListener()
