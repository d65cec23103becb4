"""Copy the database while it is in use, make sure of the copy, and only then give it its name."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from django.db import connection, transaction

from maintenance.stats import database_path

Progress = Callable[[int, int], None]
_PAGES_AT_ONCE = 2048
_COPY = re.compile(rb"^COPY public\.(\S+) \(.*\) FROM stdin;$")


class BackupFailed(Exception):
    """No backup was made."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy that was made sure of. rows: by table, the same in the copy as in the database at that moment."""

    path: Path
    size_bytes: int
    sha256: str
    rows: dict[str, int]


def back_up(*, target: Path, force: bool, progress: Progress = lambda done, total: None) -> Backup:
    """Copy the database as it is at one moment; nobody waits for it. Stored files are not part of it.

    Raises BackupFailed, and leaves what was at the target, if the copy is not equal to the database.
    """
    _refuse_target(target, force)
    temporary = target.with_name(f".{target.name}.{uuid4().hex}.part")
    # Before anything is in it: whoever reads a backup reads all accounts.
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        rows = _dump_postgresql(temporary) if connection.vendor == "postgresql" else _copy_sqlite(temporary, progress)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        _refuse_target(target, force)
        temporary.replace(target)
    except OSError as error:
        raise BackupFailed(f"{target} could not be written: {error.strerror or error}.") from error
    except sqlite3.Error as error:
        raise BackupFailed(f"The database could not be copied: {error}. See db_integrity.") from error
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(f"{temporary}{suffix}").unlink(missing_ok=True)
    _make_durable(target.parent)
    return Backup(target, target.stat().st_size, sha256, rows)


def _refuse_target(target: Path, force: bool) -> None:
    source = database_path()
    if not target.parent.is_dir():
        raise BackupFailed(f"{target.parent} is no directory.")
    if target.is_dir():
        raise BackupFailed(f"{target} is a directory.")
    if source is not None and target.exists() and target.samefile(source):
        raise BackupFailed(f"{target} is the database itself.")
    if target.exists() and not force:
        raise BackupFailed(f"{target} exists. --force replaces it.")


def _make_durable(folder: Path) -> None:
    # The name is only as durable as its directory.
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


# --- SQLite -----------------------------------------------------------------------------------------------------------


def _copy_sqlite(temporary: Path, progress: Progress) -> dict[str, int]:
    path = database_path()
    if path is None:
        raise BackupFailed("A database in memory cannot be backed up.")
    with (
        contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as source,
        contextlib.closing(sqlite3.connect(temporary, isolation_level=None)) as copy,
    ):
        # One read transaction over all of it: what is written meanwhile neither shows nor makes the copy start anew,
        # and in WAL mode nobody waits for it.
        source.execute("BEGIN")
        rows = _rows_of(source)
        source.backup(copy, pages=_PAGES_AT_ONCE, progress=lambda status, left, total: progress(total - left, total))
        source.execute("ROLLBACK")
        # One file, without a log beside it.
        copy.execute("PRAGMA journal_mode=DELETE")
        _refuse_damage(copy, rows)
    return rows


def _refuse_damage(copy: sqlite3.Connection, rows: dict[str, int]) -> None:
    lines = [line for (line,) in copy.execute("PRAGMA integrity_check(5)")]
    if lines != ["ok"]:
        raise BackupFailed(f"The copy is damaged, and so, it seems, is the database: {'; '.join(lines)}")
    if fault := copy.execute("PRAGMA foreign_key_check").fetchone():
        raise BackupFailed(f"A row of {fault[0]} names a row of {fault[2]} that is not there. See db_integrity.")
    _refuse_other_rows(_rows_of(copy), rows)


def _refuse_other_rows(found: dict[str, int], expected: dict[str, int]) -> None:
    if wrong := sorted({table for table, _ in found.items() ^ expected.items()}):
        raise BackupFailed(f"The copy has other rows than the database: {', '.join(wrong)}.")


def _rows_of(database: sqlite3.Connection) -> dict[str, int]:
    names = database.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall()
    quoted = {name: name.replace('"', '""') for (name,) in names}
    return {
        name: database.execute(f'SELECT count(*) FROM "{text}"').fetchone()[0]  # noqa: S608 - its own names
        for name, text in quoted.items()
    }


# --- PostgreSQL -------------------------------------------------------------------------------------------------------


def _dump_postgresql(temporary: Path) -> dict[str, int]:
    dump, restore = (_program(name) for name in ("pg_dump", "pg_restore"))
    with transaction.atomic(), connection.cursor() as cursor:
        # The dump and the counts see the same moment.
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        snapshot = cursor.fetchone()[0]
        command = [dump, "--format=custom", "--no-owner", f"--snapshot={snapshot}", f"--file={temporary}"]
        _run(command)
        rows = {}
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)}")  # noqa: S608 - its own names
            rows[table] = cursor.fetchone()[0]
    _refuse_other_rows(_rows_of_dump(restore, temporary), rows)
    return rows


def _rows_of_dump(restore: str, dump: Path) -> dict[str, int]:
    """Return how many rows a dump would bring back, by having it read to its end."""
    with subprocess.Popen([restore, "--data-only", "--file=-", str(dump)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        rows = dict(_counted(iter(process.stdout)))
    if process.returncode != 0:
        raise BackupFailed("pg_restore cannot read the dump.")
    return rows


def _counted(lines: Iterator[bytes]) -> Iterator[tuple[str, int]]:
    for line in lines:
        if begin := _COPY.match(line.rstrip(b"\n")):
            count = 0
            # A line is a row: ends of lines in values are written as \n.
            for row in lines:
                if row == b"\\.\n":
                    break
                count += 1
            yield begin[1].decode().strip('"'), count


def _run(command: list[str]) -> None:
    settings = connection.settings_dict
    # Not among the arguments, which every user of the machine can read.
    names = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD", "PGDATABASE": "NAME"}
    env = {**os.environ, **{name: str(settings[key]) for name, key in names.items() if settings[key]}}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BackupFailed(f"pg_dump failed: {done.stderr.strip()[-500:]}")


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise BackupFailed(f"{name} is not installed; it comes with PostgreSQL's client programs.")
    return path
