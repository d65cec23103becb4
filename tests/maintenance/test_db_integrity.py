"""`db_integrity` lists each kind of damage and exits with 1; `db_optimize` changes no row."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.backends.sqlite3.base import DatabaseWrapper

from assets.models import Asset
from core.ids import uuid7
from credits.models import CreditAccount
from jobs.models import Job
from maintenance.optimize import optimize_database
from tests.commands import manage, run_manage
from tests.factories import make_asset, make_batch, make_hold, make_job, make_render, make_user


def integrity(*arguments: str) -> tuple[int, dict]:
    out, code = StringIO(), 0
    try:
        call_command("db_integrity", "--json", *arguments, stdout=out)
    except SystemExit as error:
        code = int(error.code)
    return code, json.loads(out.getvalue())


def damaged(*arguments: str) -> dict[str, list[str]]:
    code, found = integrity(*arguments)
    wrong = {check["check"]: check["faults"] for check in found["checks"] if not check["ok"]}
    assert code == bool(wrong) == (not found["ok"])
    return wrong


def working_render(**fields):
    return make_render(status="rendering", job_id=make_job(status="running").pk, **fields)


@pytest.mark.django_db
def test_an_intact_database_has_no_findings() -> None:
    render = working_render()
    make_hold(make_asset(content=b"bytes"), reference=render.reference)
    make_render(status="failed")
    assert damaged() == {}


@pytest.mark.django_db
def test_finds_a_balance_that_is_not_the_sum_of_its_entries() -> None:
    alice = make_user("alice")
    CreditAccount.objects.update_or_create(user=alice, defaults={"balance": 777})
    assert damaged() == {"ledger": [f"user {alice.pk}: the balance is 777, the entries sum to 1000"]}


@pytest.mark.django_db
def test_finds_running_jobs_without_a_lease() -> None:
    working_render()
    job = Job.objects.get()
    Job.objects.update(lease_expires_at=None)
    assert damaged() == {"jobs": [f"job {job.pk} runs without a worker or a lease"]}


@pytest.mark.django_db
@pytest.mark.parametrize("job_status", ["", "dead", "gone"])
def test_finds_renders_without_an_active_job(job_status) -> None:
    job_id = {"": None, "gone": uuid7()}.get(job_status) if job_status != "dead" else make_job(status="dead").pk
    render = make_render(status="queued", job_id=job_id)
    assert damaged() == {"renders without a job": [f"render {render.pk} is queued, and no job works on it"]}


@pytest.mark.django_db
def test_finds_holds_of_ended_renders() -> None:
    render = make_render(status="failed")
    make_hold(make_asset(content=b"bytes"), reference=render.reference)
    assert damaged() == {"unreleased holds and reservations": [f"{render.reference} has ended and still holds assets"]}


@pytest.mark.django_db
def test_finds_wrong_batch_counts() -> None:
    batch = make_batch(total=2)
    batch.renders.update(job_id=make_job().pk)
    assert damaged() == {}
    batch.pending, batch.succeeded = 1, 1
    batch.save(update_fields=["pending", "succeeded"])
    assert damaged() == {"batch counts": [f"the counts of batch {batch.pk} differ from its renders"]}


@pytest.mark.django_db
def test_finds_missing_files() -> None:
    asset = make_asset()
    assert damaged() == {"missing files": [f"asset {asset.pk}: {asset.storage_key}"]}
    assert damaged("--no-files") == {}
    Asset.objects.update(status="failed")
    assert damaged() == {}


@pytest.mark.django_db
def test_prints_a_line_per_check(capsys) -> None:
    call_command("db_integrity")
    lines = capsys.readouterr().out.splitlines()
    assert "ledger: ok" in lines
    assert "files without a row: ok" in lines


@pytest.fixture
def on_disk(tmp_path):
    """A database file with 4,000 rows, half of them deleted."""
    path = tmp_path / "owl.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
        database.execute("CREATE TABLE child (id INTEGER PRIMARY KEY, p REFERENCES parent (id), text TEXT)")
        database.execute("CREATE INDEX child_text ON child (text)")
        database.executemany("INSERT INTO child VALUES (?, NULL, ?)", [(n, f"{n:0200}") for n in range(4000)])
        database.execute("DELETE FROM child WHERE id % 2")
        database.commit()
    return path


@pytest.fixture
def other(on_disk, db):
    wrapper = DatabaseWrapper({**connection.settings_dict, "NAME": str(on_disk), "OPTIONS": {}}, "other")
    yield wrapper
    wrapper.close()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="a test of SQLite's file")
def test_optimizing_frees_space_and_changes_no_row(on_disk, other) -> None:
    before = on_disk.stat().st_size
    steps = {step.name: step for step in optimize_database(connection=other, vacuum=True)}
    assert list(steps) == ["vacuum", "analyze", "optimize", "truncate log"]
    assert all(step.done for step in steps.values()), steps
    assert on_disk.stat().st_size < 0.6 * before
    with contextlib.closing(sqlite3.connect(on_disk)) as read:
        assert read.execute("SELECT count(*), sum(id) FROM child").fetchone() == (2000, sum(range(0, 4000, 2)))
        assert read.execute("SELECT count(*) FROM sqlite_stat1").fetchone()[0] > 0


@pytest.mark.skipif(connection.vendor != "sqlite", reason="a test of SQLite's file")
def test_skips_vacuum_without_room_for_it(on_disk, other, monkeypatch) -> None:
    monkeypatch.setattr("maintenance.optimize._SPACE_FACTOR", 1e12)
    step = optimize_database(connection=other, vacuum=True)[0]
    assert (step.name, step.done) == ("vacuum", False)
    assert "bytes free" in step.note


@pytest.mark.django_db(transaction=True)
def test_the_command_optimizes_either_database() -> None:
    out = StringIO()
    call_command("db_optimize", "--json", stdout=out)
    steps = json.loads(out.getvalue())["steps"]
    assert steps[-1]["name"] == ("truncate log" if connection.vendor == "sqlite" else "vacuum analyze")
    call_command("db_optimize", "--no-vacuum", stdout=out)
    assert "analyze: done in " in out.getvalue()


@pytest.mark.acceptance
def test_finds_a_damaged_file(tmp_path) -> None:
    """Overwrites bytes in the middle of the file, as a failing disk would."""
    path = tmp_path / "db.sqlite3"
    env = {**os.environ, "DATA_DIR": str(tmp_path), "DATABASE_URL": f"sqlite:///{path}"}

    manage(env, "migrate", "--noinput")
    intact = run_manage(env, "db_integrity", "--json")
    assert (intact.returncode, json.loads(intact.stdout)["ok"]) == (0, True), intact.stdout + intact.stderr
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xa5" * 4096 * 40)
    found = run_manage(env, "db_integrity", "--json")
    assert found.returncode == 1, found.stderr
    assert found.stdout, found.stderr
    checks = {check["check"]: check for check in json.loads(found.stdout)["checks"]}
    assert not checks["file"]["ok"]
    assert checks["file"]["faults"]
