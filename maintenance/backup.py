"""Online database backups: copy, verify the copy, then move it to its final name."""

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
_PAGES_PER_STEP = 2048
_COPY = re.compile(rb"^COPY public\.(\S+) \(.*\) FROM stdin;$")


class BackupFailed(Exception):
    """The backup failed; the target is unchanged."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A verified backup. rows: row counts by table, equal in the copy and in the database when it was copied."""

    path: Path
    size_bytes: int
    sha256: str
    rows: dict[str, int]


def back_up(*, target: Path, force: bool, progress: Progress = lambda done, total: None) -> Backup:
    """Copy a consistent snapshot of the database to `target` without blocking writers; stored files are not included.

    Raises BackupFailed, and leaves an existing target unchanged, if the copy does not match the database.
    """
    _check_target(target, force)
    temporary = target.with_name(f".{target.name}.{uuid4().hex}.part")
    # Private before it holds data: a backup contains every account.
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        rows = _dump_postgresql(temporary) if connection.vendor == "postgresql" else _copy_sqlite(temporary, progress)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        _check_target(target, force)
        temporary.replace(target)
    except OSError as error:
        raise BackupFailed(f"{target} could not be written: {error.strerror or error}.") from error
    except sqlite3.Error as error:
        raise BackupFailed(f"The database could not be copied: {error}. Run db_integrity.") from error
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(f"{temporary}{suffix}").unlink(missing_ok=True)
    _make_durable(target.parent)
    return Backup(target, target.stat().st_size, sha256, rows)


def _check_target(target: Path, force: bool) -> None:
    source = database_path()
    if not target.parent.is_dir():
        raise BackupFailed(f"{target.parent} is not a directory.")
    if target.is_dir():
        raise BackupFailed(f"{target} is a directory.")
    if source is not None and target.exists() and target.samefile(source):
        raise BackupFailed(f"{target} is the database itself.")
    if target.exists() and not force:
        raise BackupFailed(f"{target} already exists. Use --force to replace it.")


def _make_durable(folder: Path) -> None:
    # A rename is durable only once its directory is synced.
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _copy_sqlite(temporary: Path, progress: Progress) -> dict[str, int]:
    path = database_path()
    if path is None:
        raise BackupFailed("An in-memory database cannot be backed up.")
    with (
        contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as source,
        contextlib.closing(sqlite3.connect(temporary, isolation_level=None)) as copy,
    ):
        # One read transaction for the whole copy: concurrent writes neither appear in it nor restart it, and in WAL
        # mode they do not wait.
        source.execute("BEGIN")
        rows = _count_rows(source)
        source.backup(copy, pages=_PAGES_PER_STEP, progress=lambda status, left, total: progress(total - left, total))
        source.execute("ROLLBACK")
        # A single file, without a WAL beside it.
        copy.execute("PRAGMA journal_mode=DELETE")
        _verify_copy(copy, rows)
    return rows


def _verify_copy(copy: sqlite3.Connection, rows: dict[str, int]) -> None:
    lines = [line for (line,) in copy.execute("PRAGMA integrity_check(5)")]
    if lines != ["ok"]:
        raise BackupFailed(f"The copy is damaged, so the database probably is too: {'; '.join(lines)}")
    if fault := copy.execute("PRAGMA foreign_key_check").fetchone():
        raise BackupFailed(f"A row of {fault[0]} refers to a missing row of {fault[2]}. Run db_integrity.")
    _compare_row_counts(_count_rows(copy), rows)


def _compare_row_counts(found: dict[str, int], expected: dict[str, int]) -> None:
    if wrong := sorted({table for table, _ in found.items() ^ expected.items()}):
        raise BackupFailed(f"Row counts of the copy and the database differ: {', '.join(wrong)}.")


def _count_rows(database: sqlite3.Connection) -> dict[str, int]:
    names = database.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall()
    quoted = {name: name.replace('"', '""') for (name,) in names}
    return {
        name: database.execute(f'SELECT count(*) FROM "{text}"').fetchone()[0]  # noqa: S608 - names from the catalog
        for name, text in quoted.items()
    }


def _dump_postgresql(temporary: Path) -> dict[str, int]:
    dump, restore = (_program(name) for name in ("pg_dump", "pg_restore"))
    with transaction.atomic(), connection.cursor() as cursor:
        # The dump and the counts share one snapshot.
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        snapshot = cursor.fetchone()[0]
        command = [dump, "--format=custom", "--no-owner", f"--snapshot={snapshot}", f"--file={temporary}"]
        _run(command)
        rows = {}
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)}")  # noqa: S608 - names from the catalog
            rows[table] = cursor.fetchone()[0]
    _compare_row_counts(_count_dump_rows(restore, temporary), rows)
    return rows


def _count_dump_rows(restore: str, dump: Path) -> dict[str, int]:
    """Return the row counts of a dump; pg_restore reads all of it, which also verifies it."""
    with subprocess.Popen([restore, "--data-only", "--file=-", str(dump)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        rows = dict(_copied_rows(iter(process.stdout)))
    if process.returncode != 0:
        raise BackupFailed("pg_restore cannot read the dump.")
    return rows


def _copied_rows(lines: Iterator[bytes]) -> Iterator[tuple[str, int]]:
    for line in lines:
        if copy := _COPY.match(line.rstrip(b"\n")):
            count = 0
            # One line per row: COPY escapes newlines in values.
            for row in lines:
                if row == b"\\.\n":
                    break
                count += 1
            yield copy[1].decode().strip('"'), count


def _run(command: list[str]) -> None:
    settings = connection.settings_dict
    # Credentials go in the environment: every user of the machine can read the arguments.
    names = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD", "PGDATABASE": "NAME"}
    env = {**os.environ, **{name: str(settings[key]) for name, key in names.items() if settings[key]}}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BackupFailed(f"pg_dump failed: {done.stderr.strip()[-500:]}")


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise BackupFailed(f"{name} is not installed; it is one of PostgreSQL's client programs.")
    return path
