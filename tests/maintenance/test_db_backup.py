"""`db_backup` copies a consistent snapshot of a database in use and verifies the copy."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import stat
import threading
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from maintenance import backup

only_sqlite = pytest.mark.skipif(connection.vendor != "sqlite", reason="a test of SQLite's file")


@pytest.fixture
def ledger(tmp_path, monkeypatch) -> Path:
    """A database in WAL mode with two tables that each transaction writes to."""
    path = tmp_path / "owl.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE debit (id INTEGER PRIMARY KEY, amount INTEGER, filler TEXT)")
        database.execute("CREATE TABLE credit (id INTEGER PRIMARY KEY, amount INTEGER)")
        for number in range(1000):
            enter(database, number)
        database.commit()
    monkeypatch.setattr(backup, "database_path", lambda: path)
    return path


def enter(database: sqlite3.Connection, amount: int) -> None:
    database.execute("INSERT INTO debit (amount, filler) VALUES (?, ?)", (amount, "x" * 3000))
    database.execute("INSERT INTO credit (amount) VALUES (?)", (amount,))


def contents(path: Path) -> str:
    """Return a checksum of all rows of all tables."""
    digest = hashlib.sha256()
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as read:
        for (name,) in read.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall():
            for row in read.execute(f'SELECT * FROM "{name}" ORDER BY 1'):
                digest.update(repr((name, row)).encode())
    return digest.hexdigest()


def back_up(target: Path, *arguments: str) -> dict:
    out = StringIO()
    call_command("db_backup", str(target), "--json", *arguments, stdout=out)
    return json.loads(out.getvalue())


@only_sqlite
def test_a_backup_equals_the_database_and_is_a_single_private_file(ledger, tmp_path) -> None:
    (tmp_path / "backups").mkdir()
    target = tmp_path / "backups/owl.backup"
    result = back_up(target)
    assert contents(target) == contents(ledger)
    assert result["tables"] == {"credit": 1000, "debit": 1000}
    assert result["sha256"] == hashlib.sha256(target.read_bytes()).hexdigest()
    assert result["size_bytes"] == target.stat().st_size
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [path.name for path in target.parent.iterdir()] == [target.name]


@only_sqlite
def test_a_backup_under_load_is_a_consistent_snapshot(ledger, tmp_path) -> None:
    target = tmp_path / "owl.backup"
    stop, written = threading.Event(), threading.Event()

    def load() -> None:
        with contextlib.closing(sqlite3.connect(ledger, isolation_level=None, timeout=30)) as writer:
            number = 1000
            while not stop.is_set():
                writer.execute("BEGIN IMMEDIATE")
                enter(writer, number)
                writer.execute("COMMIT")
                number += 1
                written.set()

    writing = threading.Thread(target=load)
    writing.start()
    try:
        assert written.wait(30)
        for _ in range(2):
            rows = back_up(target, "--force")["tables"]
            with contextlib.closing(sqlite3.connect(target)) as copy:
                debits = copy.execute("SELECT count(*), sum(amount), max(amount) FROM debit").fetchone()
                credited = copy.execute("SELECT count(*), sum(amount), max(amount) FROM credit").fetchone()
                assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            # Only whole transactions, and all of them up to the last.
            assert debits == credited
            assert debits == (rows["debit"], sum(range(rows["debit"])), rows["debit"] - 1)
    finally:
        stop.set()
        writing.join()
    with contextlib.closing(sqlite3.connect(ledger)) as read:
        assert read.execute("SELECT count(*) FROM debit").fetchone()[0] > rows["debit"] > 1000


@only_sqlite
def test_an_existing_file_is_replaced_only_with_force(ledger, tmp_path) -> None:
    target = tmp_path / "owl.backup"
    target.write_text("precious")
    with pytest.raises(CommandError, match="exists"):
        back_up(target)
    assert target.read_text() == "precious"
    back_up(target, "--force")
    assert contents(target) == contents(ledger)
    with pytest.raises(CommandError, match="is the database itself"):
        back_up(ledger, "--force")
    with pytest.raises(CommandError, match="is not a directory"):
        back_up(tmp_path / "nowhere/owl.backup")
    with pytest.raises(CommandError, match="is a directory"):
        back_up(tmp_path, "--force")


@only_sqlite
def test_a_damaged_database_is_not_backed_up(ledger, tmp_path) -> None:
    with contextlib.closing(sqlite3.connect(ledger)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with ledger.open("r+b") as file:
        file.seek(ledger.stat().st_size // 2)
        file.write(b"\xa5" * 4096 * 4)
    target = tmp_path / "owl.backup"
    target.write_text("the last good one")
    with pytest.raises(CommandError, match="malformed"):
        back_up(target, "--force")
    assert target.read_text() == "the last good one"
    assert list(tmp_path.glob(".*.part*")) == []


@only_sqlite
def test_a_copy_with_different_row_counts_is_refused(ledger, tmp_path, monkeypatch) -> None:
    counts = iter([{"debit": 7, "credit": 7}, {"debit": 7, "credit": 6}])
    monkeypatch.setattr(backup, "_count_rows", lambda database: next(counts))
    with pytest.raises(CommandError, match="database differ: credit"):
        back_up(tmp_path / "owl.backup")
    assert not (tmp_path / "owl.backup").exists()


def test_a_missing_pg_dump_is_named(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(backup.shutil, "which", lambda name: None)
    with pytest.raises(backup.BackupFailed, match="pg_dump is not installed"):
        backup._dump_postgresql(tmp_path / "x")
