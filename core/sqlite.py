"""Choose the SQLite library before Django loads.

SQLite below 3.51.3 can corrupt a WAL database when a reader races a checkpoint, and distributions cap
its memory map at 2 GiB without a word. The wheel carries a newer build; where no wheel exists the standard
module serves if it is new enough. A system check (`renderowl.E001`) refuses the rest.
"""

from __future__ import annotations

import importlib
import importlib.util
import sqlite3
import sys

MINIMUM_VERSION = (3, 51, 3)


def install_newer_sqlite() -> None:
    """Put `pysqlite3` in the place of `sqlite3` where the standard one is too old and the wheel is installed."""
    if sqlite3.sqlite_version_info >= MINIMUM_VERSION or importlib.util.find_spec("pysqlite3") is None:
        return
    newer = importlib.import_module("pysqlite3")
    sys.modules["sqlite3"] = newer
    sys.modules["sqlite3.dbapi2"] = importlib.import_module("pysqlite3.dbapi2")
