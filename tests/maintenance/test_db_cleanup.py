"""`db_cleanup` deletes expired rows and orphan files; a dry run counts them and writes nothing."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.sessions.models import Session
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.utils import timezone

from core.retention import retentions
from jobs.models import Job
from monitoring.models import SlowRequest
from tests.factories import make_asset, make_job, make_render, make_user

pytestmark = pytest.mark.django_db


def cleanup(*arguments: str) -> dict:
    out = StringIO()
    call_command("db_cleanup", "--json", *arguments, stdout=out)
    return json.loads(out.getvalue())


def rows_of(answer: dict) -> dict[str, int]:
    return {row["name"]: row["rows"] for row in answer["rows"] if row["rows"]}


def ago(days: float):
    return timezone.now() - timedelta(days=days)


@pytest.fixture
def storage(tmp_path, settings) -> Path:
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "files.storage.local.LocalStorage", "OPTIONS": {"location": str(tmp_path)}},
    }
    return tmp_path


@pytest.fixture
def old_rows(storage) -> None:
    make_job(status="succeeded", finished_at=ago(400))
    make_job(status="succeeded", finished_at=ago(20))
    # Matches two retentions of its table: the first deletes it.
    make_job(status="succeeded", queue="maintenance", finished_at=ago(400))
    make_job(status="succeeded", queue="maintenance", finished_at=ago(20))
    make_job(status="queued", scheduled_at=ago(900))
    numbers = {"duration_ms": 1, "sql_ms": 1, "cache_ms": 1, "queries": 1, "status": 200}
    SlowRequest.objects.bulk_create(
        SlowRequest(at=ago(days), route="/", method="GET", **numbers) for days in (5, 15, 31, 32, 33)
    )
    Session.objects.create(session_key="ended", session_data="", expire_date=ago(0.01))
    Session.objects.create(session_key="lasts", session_data="", expire_date=ago(-0.01))


EXPECTED = {"finished jobs": 2, "finished maintenance jobs": 1, "slow requests": 3, "ended sessions": 1}


def test_the_dry_run_counts_what_a_cleanup_deletes(old_rows, django_assert_num_queries) -> None:
    before = Job.objects.count(), SlowRequest.objects.count(), Session.objects.count()
    result = cleanup("--dry-run")
    assert (result["dry_run"], rows_of(result), result["rows_total"]) == (True, EXPECTED, 7)
    assert {row["name"] for row in result["rows"]} == set(retentions)
    assert (Job.objects.count(), SlowRequest.objects.count(), Session.objects.count()) == before
    done = cleanup()
    assert (done["dry_run"], rows_of(done)) == (False, EXPECTED)
    assert (Job.objects.count(), SlowRequest.objects.count(), Session.objects.count()) == (2, 2, 1)
    assert Session.objects.get().session_key == "lasts"
    assert cleanup()["rows_total"] == 0


def test_retention_days_do_not_apply_to_rows_with_their_own_expiry(old_rows) -> None:
    expected = EXPECTED | {"finished jobs": 4, "slow requests": 4}
    del expected["finished maintenance jobs"]
    assert rows_of(cleanup("--dry-run", "--retention-days", "10")) == expected
    assert rows_of(cleanup("--retention-days", "10")) == expected


@pytest.mark.parametrize("days", ["0", "-1", "x", "1.5", "99999999"])
def test_refuses_invalid_retention_days(days) -> None:
    with pytest.raises(CommandError, match="whole number of days"):
        cleanup("--retention-days", days)


def put(root: Path, key: str, *, days: float) -> str:
    path = root / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"12345")
    moment = ago(days).timestamp()
    os.utime(path, (moment, moment))
    return key


def test_only_old_files_without_a_row_are_deleted(storage) -> None:
    alice = make_user("alice")
    kept = [
        put(storage, "assets/ast_other/1/shared", days=9),
        put(storage, "assets/ast_new/1/coming", days=0.5),
        put(storage, "elsewhere/1/file", days=9),
    ]
    make_asset(alice, storage_key=kept[0])
    done = make_render(alice, status="succeeded", attempt=2)
    kept.append(put(storage, f"renders/{done.public_id}/2/output.mp4", days=9))
    done.output_key = kept[-1]
    done.save(update_fields=["output_key"])
    running = make_render(alice, status="rendering")
    kept.append(put(storage, f"renders/{running.public_id}/1/output.mp4", days=9))
    expired = make_render(alice, status="succeeded", output_deleted_at=ago(3))
    orphans = [
        put(storage, f"renders/{done.public_id}/1/output.mp4", days=9),
        put(storage, f"renders/{expired.public_id}/1/output.mp4", days=9),
        put(storage, "renders/rnd_00000000000000000000000000/1/output.mp4", days=9),
        put(storage, "renders/junk/.0123.part", days=9),
        put(storage, "assets/ast_gone/1/file", days=9),
    ]
    result = cleanup("--dry-run")
    assert (result["orphan_files"], result["orphan_bytes"]) == (5, 25)
    assert all(default_storage.exists(key) for key in (*kept, *orphans))
    assert cleanup()["orphan_files"] == 5
    assert [key for key in kept if not default_storage.exists(key)] == []
    assert [key for key in orphans if default_storage.exists(key)] == []


def test_prints_a_line_per_retention(old_rows, capsys) -> None:
    call_command("db_cleanup", "--dry-run")
    lines = capsys.readouterr().out.splitlines()
    assert any(line.strip() == "3 slow requests (monitoring_slowrequest)" for line in lines)
    assert lines[-1].startswith("7 rows and 0 files would be deleted in ")
