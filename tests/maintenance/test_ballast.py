"""The ballast file: created where there is room, deleted by `db_cleanup` on a full disk."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from jobs.registry import periodic_tasks
from maintenance import ballast
from monitoring.health.machine import DiskCheck

SIZE = 1 << 20


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings) -> Path:
    path = tmp_path / "owl.sqlite3"
    path.write_bytes(b"rows")
    monkeypatch.setattr(ballast, "database_file", lambda: str(path))
    settings.RENDEROWL_DISK_BALLAST_BYTES = SIZE
    return path


def set_free_bytes(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(ballast, "free_bytes", lambda folder: free)


def ballast_observation() -> float | str:
    return next(observation.value for observation in DiskCheck().run() if observation.name == "ballast")


def test_is_created_once_and_allocates_its_blocks(database: Path) -> None:
    assert ballast_observation() == 0
    assert ballast.create_ballast_file() == SIZE
    created = Path(f"{database}.ballast").stat()
    assert created.st_size == SIZE
    assert created.st_blocks * 512 >= SIZE
    assert ballast.create_ballast_file() == SIZE
    assert Path(f"{database}.ballast").stat().st_ino == created.st_ino
    assert ballast_observation() == SIZE
    assert sorted(path.name for path in database.parent.iterdir()) == ["owl.sqlite3", "owl.sqlite3.ballast"]


def test_follows_its_setting(database: Path, settings) -> None:
    ballast.create_ballast_file()
    settings.RENDEROWL_DISK_BALLAST_BYTES = 2 * SIZE
    assert ballast.create_ballast_file() == ballast.ballast_bytes() == 2 * SIZE
    settings.RENDEROWL_DISK_BALLAST_BYTES = 0
    assert ballast.create_ballast_file() == ballast.ballast_bytes() == 0
    assert [path.name for path in database.parent.iterdir()] == ["owl.sqlite3"]


def test_is_not_what_fills_the_disk(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_free_bytes(monkeypatch, 3 * SIZE - 1)
    assert ballast.create_ballast_file() == 0
    set_free_bytes(monkeypatch, 3 * SIZE)
    assert ballast.create_ballast_file() == SIZE


def test_a_failure_leaves_no_file(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(number: int, start: int, length: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ballast.os, "posix_fallocate", fail)
    with pytest.raises(OSError, match="No space"):
        ballast.create_ballast_file()
    assert [path.name for path in database.parent.iterdir()] == ["owl.sqlite3"]


def test_no_ballast_without_a_database_file(monkeypatch: pytest.MonkeyPatch, settings) -> None:
    settings.RENDEROWL_DISK_BALLAST_BYTES = SIZE
    monkeypatch.setattr(ballast, "database_file", lambda: "")
    assert (ballast.create_ballast_file(), ballast.delete_ballast_file(), ballast.is_disk_full()) == (0, 0, False)


@pytest.mark.django_db
@pytest.mark.parametrize(("free", "freed", "left"), [(ballast.FULL_BYTES - 1, SIZE, 0), (1 << 40, 0, SIZE)])
def test_cleanup_deletes_it_only_on_a_full_disk(free, freed, left, database, monkeypatch, settings, tmp_path) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "files.storage.local.LocalStorage", "OPTIONS": {"location": str(tmp_path / "media")}},
    }
    ballast.create_ballast_file()
    set_free_bytes(monkeypatch, free)
    out = StringIO()
    call_command("db_cleanup", "--json", "--dry-run", stdout=out)
    assert json.loads(out.getvalue())["ballast_bytes"] == SIZE
    out = StringIO()
    call_command("db_cleanup", "--json", stdout=out)
    result = json.loads(out.getvalue())
    assert (result["ballast_freed_bytes"], result["ballast_bytes"], ballast.ballast_bytes()) == (freed, left, left)


def test_workers_create_it_periodically() -> None:
    assert "ballast" in periodic_tasks
