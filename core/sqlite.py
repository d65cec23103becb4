"""Choice of the SQLite library, before Django is loaded.

SQLite below 3.51.3 can corrupt a WAL database when a reader races a checkpoint, and distributions cap
its memory map at 2 GiB silently. The pysqlite3 wheel has a newer build; on platforms without a wheel the standard
module is used if it is new enough. A system check (`renderowl.E001`) rejects older ones.
"""

from __future__ import annotations

import importlib
import importlib.util
import sqlite3
import sys

MINIMUM_VERSION = (3, 51, 3)


def install_newer_sqlite() -> None:
    """Replace `sqlite3` with `pysqlite3` if the standard one is too old and the wheel is installed."""
    if sqlite3.sqlite_version_info >= MINIMUM_VERSION or importlib.util.find_spec("pysqlite3") is None:
        return
    newer = importlib.import_module("pysqlite3")
    sys.modules["sqlite3"] = newer
    sys.modules["sqlite3.dbapi2"] = importlib.import_module("pysqlite3.dbapi2")
