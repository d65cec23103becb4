"""Applied migrations are recorded with a checksum; `migrate` refuses to run when one was edited afterwards."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sqlite3
import sys

import pytest
from django.apps import AppConfig, apps
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from maintenance.migration_records import checksum_of, checksums_on_disk
from maintenance.models import MigrationChecksum
from tests.commands import run_manage

APP = "wheelwright"
MIGRATION = """from django.db import migrations


class Migration(migrations.Migration):
    dependencies = {dependencies}
    operations = [migrations.RunSQL("SELECT 1", "SELECT 1")]
"""
FIRST, SECOND = (f"{APP}.0001_spokes", f"{APP}.0002_rims")


@pytest.fixture
def shop(tmp_path, monkeypatch, settings, transactional_db):
    """A first-party app with two migrations, which a test may edit."""
    # Flushing the tables after a test imports its app again.
    for name in [name for name in sys.modules if name.partition(".")[0] == APP]:
        del sys.modules[name]
    folder = tmp_path / APP
    (folder / "migrations").mkdir(parents=True)
    for name in ("__init__.py", "migrations/__init__.py"):
        (folder / name).write_text("")
    (folder / "migrations/0001_spokes.py").write_text(MIGRATION.format(dependencies=[]))
    (folder / "migrations/0002_rims.py").write_text(MIGRATION.format(dependencies=[(APP, "0001_spokes")]))
    monkeypatch.syspath_prepend(str(tmp_path))
    settings.BASE_DIR = tmp_path
    config = AppConfig.create(APP)
    config.apps = apps
    config.import_models()
    # Not through INSTALLED_APPS: changing it makes every app register its jobs again.
    monkeypatch.setitem(apps.app_configs, APP, config)
    yield folder / "migrations"
    recorder = MigrationRecorder(connection)
    recorder.migration_qs.filter(app=APP).delete()


def status() -> tuple[int, dict, str]:
    out, err, code = io.StringIO(), io.StringIO(), 0
    try:
        call_command("migrate_status", "--json", stdout=out, stderr=err)
    except SystemExit as error:
        code = int(error.code)
    return code, json.loads(out.getvalue()), err.getvalue()


def migrate(*arguments: str) -> None:
    call_command("migrate", APP, *arguments, verbosity=0, interactive=False)


def edit(path) -> None:
    path.write_text(path.read_text().replace('"SELECT 1", ', '"SELECT 2", '))


def test_applied_migrations_are_recorded_with_version_and_duration(shop, settings) -> None:
    code, before, _ = status()
    assert (code, before["pending"]) == (0, [FIRST, SECOND])
    settings.RENDEROWL_VERSION = "9.8.7"
    migrate()
    code, after, _ = status()
    assert (code, after["ok"], after["pending"]) == (0, True, [])
    rows = MigrationChecksum.objects.filter(app=APP)
    assert [(row.name, row.app_version, row.is_baseline) for row in rows.order_by("name")] == [
        ("0001_spokes", "9.8.7", False),
        ("0002_rims", "9.8.7", False),
    ]
    assert all(row.duration_ms > 0 for row in rows)
    # Earlier migrations get a baseline record.
    earlier = MigrationChecksum.objects.exclude(app=APP)
    assert earlier.count() == after["applied"] - 2 > 20
    assert {(row.app, row.name): row.checksum for row in earlier}.items() <= checksums_on_disk().items()


def test_migrate_refuses_an_edited_migration_until_accepted(shop) -> None:
    migrate("0001")
    edit(shop / "0001_spokes.py")
    code, found, errors = status()
    assert (code, found["ok"], found["edited"], found["pending"]) == (1, False, [FIRST], [SECOND])
    assert f"{FIRST}: edited" in errors
    with pytest.raises(CommandError, match=f"Edited since they were applied: {FIRST}. "):
        migrate()
    assert status()[1]["pending"] == [SECOND]
    migrate("--accept-edited")
    code, found, _ = status()
    assert (code, found["edited"], found["pending"]) == (0, [], [])
    assert MigrationChecksum.objects.get(app=APP, name="0001_spokes").accepted_at is not None


def test_whitespace_changes_are_not_edits(shop) -> None:
    migrate()
    path = shop / "0001_spokes.py"
    path.write_bytes(path.read_bytes().replace(b"\n", b"   \r\n") + b"\n\n")
    assert status()[0] == 0


def test_a_missing_file_is_a_fault(shop) -> None:
    migrate()
    (shop / "0001_spokes.py").unlink()
    sys.modules.pop(FIRST.replace(".", ".migrations."), None)
    code, found, errors = status()
    assert (code, found["missing"], found["edited"]) == (1, [FIRST], [])
    assert f"{FIRST}: missing" in errors


def test_files_that_a_squashed_migration_replaces_are_not_missing(shop) -> None:
    migrate()
    for name in ("0001_spokes", "0002_rims"):
        (shop / f"{name}.py").unlink()
        sys.modules.pop(f"{APP}.migrations.{name}", None)
    text = MIGRATION.format(dependencies=[]) + f'    replaces = [("{APP}", "0001_spokes"), ("{APP}", "0002_rims")]\n'
    (shop / "0001_wheels.py").write_text(text)
    assert status()[0] == 0


def test_a_reversed_migration_may_be_edited(shop) -> None:
    migrate()
    migrate("0001")
    assert [row.name for row in MigrationChecksum.objects.filter(app=APP)] == ["0001_spokes"]
    edit(shop / "0002_rims.py")
    migrate()
    assert status()[0] == 0


def test_plan_and_check_write_nothing(shop) -> None:
    out = io.StringIO()
    call_command("migrate", APP, "--plan", verbosity=0, stdout=out)
    with pytest.raises(SystemExit):
        call_command("migrate", APP, "--check", verbosity=0)
    assert not MigrationChecksum.objects.filter(app=APP).exists()


def test_third_party_packages_may_edit_their_migrations(shop, settings) -> None:
    migrate()
    settings.BASE_DIR = shop
    edit(shop / "0001_spokes.py")
    code, found, _ = status()
    assert (code, found["edited"]) == (0, [])
    migrate()
    assert {row["state"] for row in status()[1]["migrations"]} == {"applied"}


def test_migrations_before_a_failing_one_are_recorded(shop) -> None:
    path = shop / "0002_rims.py"
    path.write_text(path.read_text().replace("SELECT 1", "SELECT no_such_column"))
    with pytest.raises(Exception, match="no_such_column"):
        migrate()
    assert [row.name for row in MigrationChecksum.objects.filter(app=APP, is_baseline=False)] == ["0001_spokes"]
    assert status()[1]["pending"] == [SECOND]


def test_prints_a_line_per_migration(shop, capsys) -> None:
    migrate("0001")
    call_command("migrate_status")
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("applied") and FIRST in line and line.endswith("ms") for line in lines)
    assert any(line.startswith("pending") and SECOND in line for line in lines)
    assert lines[-1].endswith("1 pending")


def test_checksums_ignore_only_line_endings_and_trailing_whitespace() -> None:
    assert checksum_of("a = 1\n") == checksum_of("\ufeffa = 1  \r\n\n")
    assert len({checksum_of(text) for text in ("a = 1\n", "a = 2\n", " a = 1\n", "a = 1  # one\n")}) == 4


@pytest.mark.parametrize("arguments", [(), ("--plan",), ("--check",), ("--accept-edited",), ("analytics", "zero")])
def test_refuses_a_database_from_before_the_first_release(tmp_path, monkeypatch, arguments) -> None:
    path = tmp_path / "old.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as old:
        old.executescript(
            """
            PRAGMA journal_mode = WAL;
            CREATE TABLE django_migrations
                (id integer PRIMARY KEY, app varchar(255), name varchar(255), applied datetime);
            INSERT INTO django_migrations (app, name, applied)
                VALUES ('accounts', '0001_initial', '2026-11-23'), ('core', '0001_idempotency_key', '2026-11-23');
            CREATE TABLE accounts_user (id char(32) PRIMARY KEY);
            """
        )
    before = path.read_bytes()
    done = run_manage({**os.environ, "DATABASE_URL": f"sqlite:///{path}"}, "migrate", *arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("CommandError: This database is older than version 0.1.0,")
    assert path.read_bytes() == before
