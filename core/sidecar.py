"""Sidecar databases: SQLite files beside the database, for disposable state that the processes of a machine share.

Separate from the database, so that neither waits for a transaction of the other.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_OPEN_RETRY_S = 0.01


class SidecarDatabase:
    """One connection per thread, opened once: `with file as connection:`.

    A database error in the block is raised as `unavailable(message)`; after any but a lock the next block opens a new
    connection. The object is itself the context manager, as every request uses one.
    """

    def __init__(
        self,
        path: Path,
        schema: str,
        *,
        busy_timeout_s: float,
        open_timeout_s: float,
        unavailable: Callable[[str], Exception],
    ) -> None:
        """path: of the file, which is created on first use. schema: run on every new connection.

        busy_timeout_s: how long a statement waits for a lock. open_timeout_s: how long opening does.
        """
        self._path = path
        self._schema = schema
        self._busy_timeout_s = busy_timeout_s
        self._open_timeout_s = open_timeout_s
        self._unavailable = unavailable
        self._local = threading.local()

    def __enter__(self) -> sqlite3.Connection:
        """Return the connection of the calling thread."""
        try:
            connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
            # A connection must not cross a fork.
            if connection is None or self._local.pid != os.getpid():
                connection = self._local.connection = self._open()
                self._local.pid = os.getpid()
        except (sqlite3.Error, OSError) as error:
            raise self._unavailable(str(error)) from error
        return connection

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None:
            return
        if not self._is_reusable(error):
            self.close()
        # ValueError: text that SQLite cannot store.
        if isinstance(error, sqlite3.Error | OSError | ValueError):
            raise self._unavailable(str(error)) from error

    def close(self) -> None:
        """Close the connection of the calling thread."""
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            self._local.connection = None
            with suppress(sqlite3.Error):
                connection.close()

    def _is_reusable(self, error: BaseException) -> bool:
        """Return whether the connection is still usable: a new one would wait for the same lock again."""
        return (
            isinstance(error, sqlite3.OperationalError)
            and "locked" in str(error)
            and not self._local.connection.in_transaction
        )

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=self._open_timeout_s, isolation_level=None)
        deadline = time.monotonic() + self._open_timeout_s
        while True:
            try:
                connection.executescript(self._schema)
                break
            except sqlite3.OperationalError as error:
                # Switching a new file to the write-ahead log while others open it fails without a wait.
                if "locked" not in str(error) or time.monotonic() >= deadline:
                    connection.close()
                    raise
                time.sleep(_OPEN_RETRY_S)
        connection.execute(f"PRAGMA busy_timeout = {int(self._busy_timeout_s * 1000)}").fetchall()
        return connection
