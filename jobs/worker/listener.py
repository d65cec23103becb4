"""Wait for work in milliseconds without keeping a core busy."""

from __future__ import annotations

import select
import time

from django.db import connection

from jobs.notify import CHANNEL

# However it is woken, a slot looks for itself this often: a wake-up may get lost, a row may not.
FALLBACK_POLL_S = 1.0
# How long SQLite's idle slot sleeps between looks: short while work is likely, longer as it stays away.
POLL_INTERVALS_S = ((2.0, 0.005), (10.0, 0.010), (float("inf"), 0.020))


class SqliteListener:
    """Asks SQLite whether another connection has committed anything: 3 us a time."""

    def __init__(self) -> None:
        self._seen = 0
        self._idle_since = time.monotonic()

    def prepare(self) -> None:
        """Note the version of the data."""
        self._seen = self._data_version()

    def wait(self, interrupt: int) -> None:
        """Poll until the data has another version, `interrupt` (a file descriptor) can be read, or a second is over."""
        began = time.monotonic()
        while (now := time.monotonic()) - began < FALLBACK_POLL_S:
            interval_s = next(interval for until, interval in POLL_INTERVALS_S if now - self._idle_since < until)
            if select.select([interrupt], [], [], interval_s)[0]:
                return
            if self._data_version() != self._seen:
                return

    def found_work(self) -> None:
        """Start over with short intervals."""
        self._idle_since = time.monotonic()

    def _data_version(self) -> int:
        connection.ensure_connection()
        with connection.wrap_database_errors:
            version: int = connection.connection.execute("PRAGMA data_version").fetchone()[0]
        return version


class PostgresListener:
    """Listens for the NOTIFY of whoever enqueues."""

    def __init__(self) -> None:
        self._listening_on: object = None

    def prepare(self) -> None:
        """Listen, also on a connection that was made anew."""
        connection.ensure_connection()
        if self._listening_on is not connection.connection:
            with connection.cursor() as cursor:
                cursor.execute(f"LISTEN {CHANNEL}")
            self._listening_on = connection.connection

    def wait(self, interrupt: int) -> None:
        """Sleep until notified, `interrupt` can be read, or a second is over."""
        if self._drain():
            return
        select.select([connection.connection.fileno(), interrupt], [], [], FALLBACK_POLL_S)
        self._drain()

    def found_work(self) -> None:
        """Nothing to do: the sleep does not depend on how long the slot was idle."""

    def _drain(self) -> int:
        """Take the notifications that have come in; return how many."""
        with connection.wrap_database_errors:
            return sum(1 for _ in connection.connection.notifies(timeout=0))


def make_listener() -> SqliteListener | PostgresListener:
    """Return the way of waiting that fits the database."""
    return PostgresListener() if connection.vendor == "postgresql" else SqliteListener()
