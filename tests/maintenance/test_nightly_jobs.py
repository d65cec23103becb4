"""Nightly jobs, backup rotation, and the health check of both."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from jobs.cron import next_run
from jobs.exceptions import PermanentFailure
from jobs.registry import handlers
from jobs.registry import schedules as registered
from maintenance import backup, tasks
from maintenance.backup_rotation import expired_backups
from maintenance.integrity import Finding
from monitoring.health.base import HealthStatus
from monitoring.health.nightly_jobs import NightlyJobsCheck
from tests.factories import make_job

only_sqlite = pytest.mark.skipif(connection.vendor != "sqlite", reason="a test of SQLite's file")


class Context:
    """A job context that is never cancelled. checks: how often the job checked for cancellation."""

    checks = 0

    def check(self) -> None:
        self.checks += 1


def name_of(moment: datetime) -> str:
    return f"renderowl-{moment:%Y%m%dT%H%M%SZ}.backup"


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings) -> Path:
    import sqlite3

    path = tmp_path / "owl.sqlite3"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE render (id INTEGER PRIMARY KEY)")
        database.execute("INSERT INTO render VALUES (1), (2)")
    database.close()
    monkeypatch.setattr(backup, "database_path", lambda: path)
    (tmp_path / "backups").mkdir()
    settings.RENDEROWL_BACKUP_DIR = str(tmp_path / "backups")
    settings.RENDEROWL_BACKUP_KEEP, settings.RENDEROWL_BACKUP_KEEP_WEEKS = 2, 0
    return path


def test_every_job_runs_at_its_own_time_each_night() -> None:
    schedules = {schedule.type: schedule.cron for schedule in registered.values()}
    start = datetime(2026, 11, 23, 12, tzinfo=UTC)
    daily = (tasks.BACK_UP_JOB, tasks.OPTIMIZE_JOB, tasks.FILES_JOB, tasks.CHECK_JOB)
    hours = [next_run(schedules[name], start) for name in daily]
    assert all(timedelta(hours=12) < hour - start < timedelta(hours=18) for hour in hours)
    assert len(set(hours)) == len(hours) == 4
    # Without retries, so that the dead letter rule alerts at once.
    assert {handlers[name].max_attempts for name in daily} == {1}


def test_keeps_the_newest_and_one_per_week() -> None:
    newest = datetime(2026, 11, 22, 2, 17, tzinfo=UTC)
    days = [newest - timedelta(days=age) for age in range(40)]
    paths = [Path(name_of(day)) for day in days] + [Path("renderowl-2026.backup"), Path("notes.txt")]
    expired = {path.name for path in expired_backups(paths, keep=3, weeks=3)}
    # 22 November 2026 is a Sunday, the last day of its week.
    kept = [days[age] for age in (0, 1, 2, 7, 14)]
    assert expired == {name_of(day) for day in days} - {name_of(day) for day in kept}
    assert len(expired_backups(paths, keep=7, weeks=0)) == 33
    assert expired_backups(paths, keep=40, weeks=0) == []


@only_sqlite
def test_makes_a_backup_and_deletes_the_oldest(database: Path, settings) -> None:
    folder = Path(settings.RENDEROWL_BACKUP_DIR)
    old = [name_of(timezone.now() - timedelta(days=age)) for age in (1, 2, 3)]
    for name in [*old, "mine.backup"]:
        (folder / name).write_text("old")
    result = tasks.back_up(Context())  # type: ignore[arg-type]
    assert result["rows"] == 2
    assert result["deleted"] == old[1:]
    made = Path(result["path"])
    assert made.stat().st_size == result["size_bytes"]
    assert {path.name for path in folder.iterdir()} == {made.name, old[0], "mine.backup"}


@only_sqlite
def test_a_failed_backup_deletes_nothing(database: Path, settings) -> None:
    folder = Path(settings.RENDEROWL_BACKUP_DIR)
    for age in range(1, 5):
        (folder / name_of(timezone.now() - timedelta(days=age))).write_text("old")
    database.write_bytes(b"no database at all" * 4096)
    with pytest.raises(PermanentFailure) as failure:
        tasks.back_up(Context())  # type: ignore[arg-type]
    assert failure.value.code == "backup_failed"
    assert len(list(folder.iterdir())) == 4


def test_skips_the_backup_without_a_folder(settings) -> None:
    settings.RENDEROWL_BACKUP_DIR = ""
    assert tasks.back_up(Context()) == {"skipped": "BACKUP_DIR is not set"}  # type: ignore[arg-type]


@only_sqlite
def test_the_command_keeps_the_given_number_of_backups(database: Path, settings) -> None:
    folder = Path(settings.RENDEROWL_BACKUP_DIR)
    (folder / name_of(timezone.now() - timedelta(days=1))).write_text("old")
    out = StringIO()
    call_command("db_backup", str(folder), "--keep", "1", "--json", stdout=out)
    result = json.loads(out.getvalue())
    assert len(result["deleted"]) == 1
    assert [str(path) for path in folder.iterdir()] == [result["path"]]
    with pytest.raises(CommandError, match="above zero"):
        call_command("db_backup", str(folder), "--keep", "0")


@pytest.mark.django_db
def test_the_check_job_fails_with_the_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    context = Context()
    found = [Finding("ledger", ()), Finding("files without a row", ("a", "b"), harmless=True)]
    monkeypatch.setattr(tasks, "check_integrity", lambda: iter(found))
    assert tasks.check(context) == {"ledger": "ok", "files without a row": "2 listed"}  # type: ignore[arg-type]
    assert context.checks == 2
    found.append(Finding("jobs", ("job 1 is late",)))
    with pytest.raises(PermanentFailure) as failure:
        tasks.check(context)  # type: ignore[arg-type]
    assert (failure.value.code, failure.value.message) == ("database_damaged", "jobs: job 1 is late")


@only_sqlite
@pytest.mark.django_db(transaction=True)
def test_nightly_optimization_does_not_vacuum() -> None:
    result = tasks.optimize(Context())  # type: ignore[arg-type]
    assert [step["name"] for step in result["steps"]] == ["optimize", "truncate log"]
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA analysis_limit")
        assert cursor.fetchone()[0] == 1000


@pytest.mark.django_db
class TestHealth:
    @pytest.fixture(autouse=True)
    def _with_backups(self, settings, tmp_path: Path) -> None:
        settings.RENDEROWL_BACKUP_DIR = str(tmp_path)

    def observations(self) -> dict[str, tuple[HealthStatus, str]]:
        return {found.name: (found.status, found.detail) for found in NightlyJobsCheck().run()}

    def test_a_new_installation_has_no_observations(self) -> None:
        assert self.observations() == {}

    def test_reports_the_last_run_of_each_job(self) -> None:
        now = timezone.now()
        failed = {"code": "backup_failed", "message": "the disk is gone"}
        make_job(type=tasks.BACK_UP_JOB, status="succeeded", finished_at=now - timedelta(days=1))
        make_job(type=tasks.BACK_UP_JOB, status="dead", finished_at=now, error=failed)
        make_job(type=tasks.OPTIMIZE_JOB, status="dead", finished_at=now - timedelta(days=1), error=failed)
        make_job(type=tasks.OPTIMIZE_JOB, status="succeeded", finished_at=now)
        make_job(type=tasks.CHECK_JOB, status="succeeded", finished_at=now - timedelta(days=3))
        make_job(type=tasks.CHECK_JOB, status="running")
        assert self.observations() == {
            "backedUp": (HealthStatus.WARN, "maintenance.back_up: the disk is gone"),
            "optimized": (HealthStatus.PASS, ""),
            "checked": (HealthStatus.WARN, "maintenance.check_integrity is late"),
        }

    def test_ignores_backups_that_are_not_configured(self, settings) -> None:
        settings.RENDEROWL_BACKUP_DIR = ""
        make_job(type=tasks.BACK_UP_JOB, status="dead", finished_at=timezone.now())
        assert self.observations() == {}
