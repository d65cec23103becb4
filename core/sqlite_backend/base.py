"""Database wrapper of the SQLite backend."""

from __future__ import annotations

import os
import time
from typing import Any

from django.db.backends.sqlite3 import base
from django.db.utils import OperationalError

CHECK_INTERVAL_S = 0.1
FileId = tuple[int, int]
# Files that this process has opened. It never creates them again: SQLite would create an empty database in the place of
# one that is being moved, and might even replay the old write-ahead log into it.
_seen: set[str] = set()


def file_id(path: str) -> FileId | None:
    """Return device and inode of a file, which differ after it was replaced; None if there is no file."""
    try:
        found = os.stat(path)  # noqa: PTH116 - runs before queries; a Path costs more than the call
    except OSError:
        return None
    return found.st_dev, found.st_ino


def is_gone(path: str) -> bool:
    """Return whether a file is missing that this process has opened."""
    return path in _seen and file_id(path) is None


class DatabaseWrapper(base.DatabaseWrapper):
    """Closes the connection to a file that was replaced, as writes to it would be lost."""

    _opened: FileId | None = None
    _checked_at = 0.0

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Open the file; create it only if this process has never opened it. Raises OperationalError."""
        path = str(self.settings_dict["NAME"])
        if is_gone(path):
            raise OperationalError("the database file is gone")
        connection = super().get_new_connection(conn_params)
        self._opened = file_id(path)
        if self._opened is not None:
            _seen.add(path)
        return connection

    def ensure_connection(self) -> None:
        """Connect if necessary, also when the file was replaced, but not inside of a transaction."""
        if self.connection is not None and self._opened is not None and not self.in_atomic_block:
            now = time.monotonic()
            if now - self._checked_at >= CHECK_INTERVAL_S:
                self._checked_at = now
                if file_id(str(self.settings_dict["NAME"])) != self._opened:
                    self.close()
        super().ensure_connection()
