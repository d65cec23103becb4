"""The SQLite backend reconnects to a replaced file, and never creates a file again."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import OperationalError, connections

from core.sqlite_backend import base
from core.sqlite_backend.base import DatabaseWrapper


def make_file(path: Path, word: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (word TEXT)")
        connection.execute("INSERT INTO t VALUES (?)", [word])
        connection.commit()


@pytest.fixture
def wrapper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, django_db_blocker) -> Iterator[DatabaseWrapper]:
    monkeypatch.setattr(base, "CHECK_INTERVAL_S", 0)
    make_file(tmp_path / "db", "old")
    settings = {**connections["default"].settings_dict, "NAME": str(tmp_path / "db"), "OPTIONS": {}}
    connection = DatabaseWrapper(settings)
    with django_db_blocker.unblock():
        yield connection
        connection.close()


def word_in(connection: DatabaseWrapper) -> str:
    with connection.cursor() as cursor:
        return cursor.execute("SELECT word FROM t").fetchone()[0]


def test_reads_the_replacement_of_its_file(wrapper: DatabaseWrapper, tmp_path: Path) -> None:
    assert word_in(wrapper) == "old"
    make_file(tmp_path / "new", "new")
    (tmp_path / "new").rename(tmp_path / "db")
    assert word_in(wrapper) == "new"


def test_a_transaction_stays_with_its_file(wrapper: DatabaseWrapper, tmp_path: Path) -> None:
    assert word_in(wrapper) == "old"
    wrapper.set_autocommit(False)
    wrapper.in_atomic_block = True
    make_file(tmp_path / "new", "new")
    (tmp_path / "new").rename(tmp_path / "db")
    assert word_in(wrapper) == "old"
    wrapper.in_atomic_block = False
    assert word_in(wrapper) == "new"


def test_a_missing_file_is_not_created_again(wrapper: DatabaseWrapper, tmp_path: Path) -> None:
    assert word_in(wrapper) == "old"
    (tmp_path / "db").rename(tmp_path / "away")
    for _ in range(2):
        with pytest.raises(OperationalError, match="gone"):
            word_in(wrapper)
    assert not (tmp_path / "db").exists()
    (tmp_path / "away").rename(tmp_path / "db")
    assert word_in(wrapper) == "old"


def test_a_first_connection_creates_the_file(tmp_path: Path, django_db_blocker) -> None:
    settings = {**connections["default"].settings_dict, "NAME": str(tmp_path / "first"), "OPTIONS": {}}
    connection = DatabaseWrapper(settings)
    with django_db_blocker.unblock():
        connection.ensure_connection()
        connection.close()
    assert (tmp_path / "first").exists()
