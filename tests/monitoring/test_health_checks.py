"""The observations of each health check."""

from __future__ import annotations

from collections import namedtuple
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone
from health_check.exceptions import ServiceUnavailable, ServiceWarning

from api.ratelimit.limiter import Limiter
from api.ratelimit.store import LimitStoreUnavailable
from jobs.models import QueueState, Worker
from monitoring.health import database, machine
from monitoring.health.base import CheckObservation, HealthStatus
from monitoring.health.database import DatabaseCheck, MigrationsCheck
from monitoring.health.machine import CacheCheck, DiskCheck, FfmpegCheck, MemoryCheck, StorageCheck
from monitoring.health.queue import QueueCheck
from monitoring.health.shutdown import STOPPING_FILE_VARIABLE, ShutdownCheck
from tests.factories import make_job


def summarize(observations: list[CheckObservation]) -> dict[str, tuple[Any, HealthStatus]]:
    return {found.name: (found.value, found.status) for found in observations}


@pytest.mark.django_db(transaction=True)
class TestDatabase:
    def test_write_is_rolled_back(self) -> None:
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT id, app, name, applied FROM django_migrations ORDER BY id")
            before = cursor.fetchall()
        assert DatabaseCheck().run() == []
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT id, app, name, applied FROM django_migrations ORDER BY id")
            assert cursor.fetchall() == before

    def test_a_lock_is_tolerated_for_ten_seconds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = iter([1000.0, 1009.9, 1010.1])
        monkeypatch.setattr(database.time, "monotonic", lambda: next(clock))
        monkeypatch.setattr(database, "LOCK_TIMEOUT_S", 0.02)
        check = DatabaseCheck()
        holder = connections["default"].copy()
        try:
            with holder.cursor() as cursor:
                cursor.execute("BEGIN" if holder.vendor == "postgresql" else "BEGIN IMMEDIATE")
                cursor.execute("UPDATE django_migrations SET app = app")
                for expected in (ServiceWarning, ServiceWarning, ServiceUnavailable):
                    with pytest.raises(expected, match="another writer"):
                        check.run()
                cursor.execute("ROLLBACK")
        finally:
            holder.close()
        assert check.run() == []
        assert check.locked_since is None

    def test_a_missing_migration_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert summarize(MigrationsCheck().run()) == {"missing": (0, HealthStatus.PASS)}
        known = database.known_migrations() | {("renders", "0099_from_the_future")}
        monkeypatch.setattr(database, "known_migrations", lambda: known)
        found = MigrationsCheck().run()
        assert summarize(found) == {"missing": (1, HealthStatus.FAIL)}
        assert found[0].detail == "renders.0099_from_the_future"


def test_a_missing_database_file_is_not_recreated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite3"
    monkeypatch.setattr(database, "database_file", lambda: str(path))
    for check in (DatabaseCheck(), MigrationsCheck()):
        with pytest.raises(ServiceUnavailable, match="gone"):
            check.run()
    assert not path.exists()


@pytest.mark.django_db(transaction=True)
def test_a_replaced_database_file_fails_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite3"
    path.touch()
    monkeypatch.setattr(database, "database_file", lambda: str(path))
    check = DatabaseCheck()
    assert check.run() == []
    (tmp_path / "other").touch()
    (tmp_path / "other").rename(path)
    with pytest.raises(ServiceUnavailable, match="replaced"):
        check.run()
    assert check.run() == []


@pytest.mark.django_db
class TestQueue:
    def test_empty_queues_pass(self) -> None:
        assert summarize(QueueCheck().run()) == {
            "ready": (0, HealthStatus.PASS),
            "oldestReady": (0.0, HealthStatus.PASS),
            "workers": (0, HealthStatus.PASS),
            "deadWorkers": (0, HealthStatus.PASS),
        }

    @pytest.mark.parametrize(
        ("minutes", "status"), [(1, HealthStatus.PASS), (6, HealthStatus.WARN), (61, HealthStatus.FAIL)]
    )
    def test_the_wait_of_the_oldest_ready_job_sets_the_status(self, minutes: int, status: HealthStatus) -> None:
        make_job(scheduled_at=timezone.now() - timedelta(minutes=minutes))
        make_job(scheduled_at=timezone.now() - timedelta(days=1), status="blocked")
        make_job(scheduled_at=timezone.now() + timedelta(days=1), status="scheduled")
        found = summarize(QueueCheck().run())
        assert found["ready"][0] == 1
        assert found["oldestReady"][1] is status
        assert found["workers"] == (0, HealthStatus.WARN)

    def test_paused_queues_do_not_count(self) -> None:
        make_job(queue="paused", scheduled_at=timezone.now() - timedelta(days=1))
        QueueState.objects.create(name="paused", paused=True)
        assert summarize(QueueCheck().run())["oldestReady"] == (0.0, HealthStatus.PASS)

    def test_a_worker_without_heartbeats_counts_as_dead_for_an_hour(self) -> None:
        now = timezone.now()
        for name, silent_s, stopped in (
            ("alive", 1, None),
            ("dead", 60, None),
            ("ended", 60, now),
            ("old", 4000, None),
        ):
            last = now - timedelta(seconds=silent_s)
            Worker.objects.create(name=name, hostname="h", pid=1, concurrency=1, last_seen_at=last, stopped_at=stopped)
        found = summarize(QueueCheck().run())
        assert (found["workers"], found["deadWorkers"]) == ((1, HealthStatus.PASS), (1, HealthStatus.WARN))


@pytest.mark.parametrize(
    ("free", "status"), [(3 * 1024**3, HealthStatus.PASS), (1024**3, HealthStatus.WARN), (1024**2, HealthStatus.FAIL)]
)
def test_disk(monkeypatch: pytest.MonkeyPatch, free: int, status: HealthStatus) -> None:
    usage = namedtuple("usage", "total used free")(10**12, 0, free)
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda path: usage)
    assert summarize(DiskCheck().run())["free"] == (free, status)


@pytest.mark.parametrize(
    ("available", "status"), [(500, HealthStatus.PASS), (90, HealthStatus.WARN), (20, HealthStatus.FAIL)]
)
def test_memory(monkeypatch: pytest.MonkeyPatch, available: int, status: HealthStatus) -> None:
    monkeypatch.setattr(machine, "machine_memory", lambda: {"machine_bytes": 1000, "available_bytes": available})
    found = summarize(MemoryCheck().run())
    assert found["available"] == (available / 1000, status)
    assert found["anonymous"][0] > 10**6


def test_memory_unknown_to_the_system_is_omitted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "machine_memory", lambda: {"machine_bytes": None, "available_bytes": None})
    assert set(summarize(MemoryCheck().run())) == {"anonymous"}


def test_storage_check_leaves_no_file(tmp_path: Path) -> None:
    StorageCheck().run()
    machine.write_and_remove(tmp_path / "media")
    assert list((tmp_path / "media").iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(OSError):
        machine.write_and_remove(tmp_path / "file")


def test_ffmpeg_is_started_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    program = tmp_path / "ffmpeg"
    program.write_text(f"#!/bin/sh\necho run >> {runs}\n")
    program.chmod(0o755)
    monkeypatch.setattr(machine, "ffmpeg_path", lambda: program)
    check = FfmpegCheck()
    assert check.run() == check.run() == []
    assert runs.read_text() == "run\n"
    program.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(ServiceUnavailable):
        check.run()
    program.unlink()
    with pytest.raises(ServiceUnavailable):
        check.run()


def test_cache(rate_limits: Limiter, monkeypatch: pytest.MonkeyPatch) -> None:
    assert CacheCheck().run() == []

    def fail(limits: object) -> None:
        raise LimitStoreUnavailable("redis://:hunter2@cache")

    monkeypatch.setattr(rate_limits._store, "peek", fail)
    with pytest.raises(ServiceUnavailable):
        CacheCheck().run()


def test_shutdown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(STOPPING_FILE_VARIABLE, raising=False)
    assert summarize(ShutdownCheck().run()) == {"begun": (0, HealthStatus.PASS)}
    monkeypatch.setenv(STOPPING_FILE_VARIABLE, str(tmp_path / "stopping"))
    assert summarize(ShutdownCheck().run()) == {"begun": (0, HealthStatus.PASS)}
    (tmp_path / "stopping").touch()
    assert summarize(ShutdownCheck().run()) == {"begun": (1, HealthStatus.FAIL)}
