"""The connection."""

from __future__ import annotations

import os
import time
from typing import Any

from django.db.backends.sqlite3 import base
from django.db.utils import OperationalError

CHECK_INTERVAL_S = 0.1
FileId = tuple[int, int]
# Files that this process has had open. They are never made anew: SQLite would open an empty database in the place of
# one that is being moved, and might even play the old write-ahead log into it.
_seen: set[str] = set()


def file_id(path: str) -> FileId | None:
    """Return which file is at a path, None where there is none. Another one there is another database."""
    try:
        found = os.stat(path)  # noqa: PTH116 - on the way of queries; a Path costs more than the question
    except OSError:
        return None
    return found.st_dev, found.st_ino


def is_gone(path: str) -> bool:
    """Say whether a file is missing that this process has had open."""
    return path in _seen and file_id(path) is None


class DatabaseWrapper(base.DatabaseWrapper):
    """Lets go of a file that was replaced: what is written to it, nobody reads any more."""

    _opened: FileId | None = None
    _checked_at = 0.0

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Open the file, or make it where this process has never seen it.

        Raises OperationalError.
        """
        path = str(self.settings_dict["NAME"])
        if is_gone(path):
            raise OperationalError("the database file is gone")
        connection = super().get_new_connection(conn_params)
        self._opened = file_id(path)
        if self._opened is not None:
            _seen.add(path)
        return connection

    def ensure_connection(self) -> None:
        """Connect if need be: also where the file is not the one that is open. Never inside of a transaction."""
        if self.connection is not None and self._opened is not None and not self.in_atomic_block:
            now = time.monotonic()
            if now - self._checked_at >= CHECK_INTERVAL_S:
                self._checked_at = now
                if file_id(str(self.settings_dict["NAME"])) != self._opened:
                    self.close()
        super().ensure_connection()
