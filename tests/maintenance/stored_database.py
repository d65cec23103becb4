"""Stored databases: one installation per release, to test that later versions can migrate it.

Run `python -m tests.maintenance.stored_database` once per release: it adds the database of the present version.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import sqlite3
import sys
import tempfile
from pathlib import Path

from tests.commands import ROOT, manage

FOLDER = Path(__file__).with_name("stored_databases")
SEED = ("--renders", "12", "--jobs", "20", "--events", "40", "--days", "20", "--seed", "1", "--no-files")


def environment(folder: Path) -> dict[str, str]:
    """Return the environment variables of an installation in a folder."""
    return {
        **{name: value for name, value in os.environ.items() if name not in {"STORAGE_URL", "PUBLIC_URL"}},
        "DATA_DIR": str(folder),
        "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
        "DEBUG": "1",
        "DISK_BALLAST_BYTES": "0",
    }


def rows(folder: Path) -> dict[str, int]:
    """Return the row count of each table, by name."""
    stats = json.loads(manage(environment(folder), "db_stats", "--json"))
    return {table["table"]: table["rows"] for table in stats["tables"]}


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a stored database into the folder of an installation."""
    (folder / "db.sqlite3").write_bytes(gzip.decompress(archive.read_bytes()))


def build(version: str) -> Path:
    """Store a database of this version: three accounts with renders, jobs, credits, events and notifications."""
    archive = FOLDER / f"{version}.sqlite3.gz"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manage(environment(folder), "migrate", "--noinput")
        manage(environment(folder), "seed_demo", *SEED)
        with contextlib.closing(sqlite3.connect(folder / "db.sqlite3")) as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        FOLDER.mkdir(exist_ok=True)
        archive.write_bytes(gzip.compress((folder / "db.sqlite3").read_bytes(), compresslevel=9, mtime=0))
    return archive


if __name__ == "__main__":
    import tomllib

    present = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    if (FOLDER / f"{present}.sqlite3.gz").exists():
        sys.exit(f"{present} is already stored; a release is stored only once.")
    print(build(present))
