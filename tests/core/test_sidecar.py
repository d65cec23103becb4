"""Files beside the database: one connection a thread, which outlives a lock and nothing worse."""

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
    """What the owner of the file makes of its errors."""


def sidecar(path: Path) -> SidecarDatabase:
    return SidecarDatabase(path, SCHEMA, busy_timeout_s=0.05, open_timeout_s=5.0, unavailable=Away)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "made/when/needed.sqlite3"


@pytest.fixture
def file(path: Path) -> Iterator[SidecarDatabase]:
    made = sidecar(path)
    yield made
    made.close()


def write(file: SidecarDatabase, text: str = "x") -> None:
    with file as connection:
        connection.execute("INSERT INTO note VALUES (?)", [text])


def test_after_a_lock_who_reads_does_not_wait(file, path):
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
def test_a_transaction_that_an_error_left_open_holds_nobody_up(file, path, error):
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


def test_many_threads_may_make_the_file_together(path):
    made, errors, barrier = sidecar(path), [], threading.Barrier(12)

    def work() -> None:
        barrier.wait()
        try:
            for _ in range(3):
                with made as connection:
                    connection.execute("SELECT count(*) FROM note")
        except Away as error:
            errors.append(error)
        finally:
            made.close()

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_place_that_cannot_be_is_told_as_the_owner_says(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Away), sidecar(tmp_path / "file/below.sqlite3"):
        pass
