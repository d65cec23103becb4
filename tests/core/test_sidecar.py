"""Sidecar databases: one connection per thread, which is reused after a lock, but not after other errors."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from core.sidecar import SidecarDatabase

SCHEMA = """
    PRAGMA auto_vacuum = INCREMENTAL;
    PRAGMA journal_mode = WAL;
    CREATE TABLE IF NOT EXISTS note (text TEXT);
"""


class Away(Exception):
    """The exception that the owner of the file chooses."""


def sidecar(path: Path) -> SidecarDatabase:
    return SidecarDatabase(path, SCHEMA, busy_timeout_s=0.05, open_timeout_s=5.0, unavailable=Away)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "created/on/first/use.sqlite3"


@pytest.fixture
def file(path: Path) -> Iterator[SidecarDatabase]:
    database = sidecar(path)
    yield database
    database.close()


def write(file: SidecarDatabase, text: str = "x") -> None:
    with file as connection:
        connection.execute("INSERT INTO note VALUES (?)", [text])


def test_a_read_after_a_lock_does_not_wait(file, path):
    write(file)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Away, match="locked"):
            write(file)
        began = time.monotonic()
        with file as connection:
            assert connection.execute("SELECT count(*) FROM note").fetchone() == (1,)
        assert time.monotonic() - began < 0.5
        other.execute("COMMIT")
    write(file)


@pytest.mark.parametrize("error", [sqlite3.DatabaseError("malformed"), ValueError("no JSON"), RuntimeError("ours")])
def test_a_transaction_left_open_by_an_error_blocks_no_other(file, path, error):
    with pytest.raises(RuntimeError if isinstance(error, RuntimeError) else Away), file as connection:
        connection.execute("BEGIN IMMEDIATE")
        raise error
    write(sidecar(path))
    write(file)


def test_errors_leave_no_descriptors_open(file):
    write(file)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        with pytest.raises(Away), file as connection:
            connection.execute("SELECT nonsense")
        write(file)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


def test_many_threads_may_create_the_file_together(path):
    database, errors, barrier = sidecar(path), [], threading.Barrier(12)

    def work() -> None:
        barrier.wait()
        try:
            for _ in range(3):
                with database as connection:
                    connection.execute("SELECT count(*) FROM note")
        except Away as error:
            errors.append(error)
        finally:
            database.close()

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_an_impossible_path_raises_the_chosen_exception(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Away), sidecar(tmp_path / "file/below.sqlite3"):
        pass
