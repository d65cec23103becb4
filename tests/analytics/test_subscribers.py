"""Subscribers record events of lower apps, in their transactions."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from analytics.models import NO_PROJECT, AnalyticsEvent
from assets.services import delete_asset
from credits import services as credit_services
from renders.models import Render
from renders.services.attempts import start_attempt
from renders.services.cancel import cancel_render
from renders.services.outcomes import RenderedFiles, close_failed, close_succeeded
from renders.services.storage import delete_output
from tests.factories import make_api_key, make_asset, make_edit, make_project, make_user

pytestmark = pytest.mark.django_db
FILES = RenderedFiles("mp4", 64, 36, 10.0, 1.25, 4321, "0" * 64, "renders/x/1/output.mp4", "", "")


@pytest.fixture
def alice():
    return make_user("alice")


def submit(api, user, **body) -> Render:
    answer = api.post("/api/v2/renders", {"edit": make_edit(), **body}, headers={"X-API-Key": make_api_key(user)})
    assert answer.status_code == 202, answer.content
    return Render.objects.latest("created_at")


def logged(*names: str) -> list[tuple]:
    rows = AnalyticsEvent.objects.exclude(type="credits.moved").order_by("created_at", "pk")
    return list(rows.values_list("type", *names))


def test_records_a_render_from_submit_to_deletion(api, alice) -> None:
    project = make_project(alice)
    render = submit(api, alice, project=project.public_id)
    Render.objects.update(queued_at=timezone.now() - timedelta(seconds=8))
    for attempt in (1, 2):
        started = start_attempt(render_id=render.pk, attempt=attempt)
    Render.objects.update(status="saving")
    with transaction.atomic():
        timings = {"fetch": 0.5, "render": 2.0, "render_encode": 1.9, "save": 0.25}
        assert close_succeeded(render=started, files=FILES, cost=1, timings=timings, log="")
    delete_output(render=Render.objects.get())
    delete_output(render=Render.objects.get())
    rows = logged("duration_ms", "work_ms", "credits", "size_bytes")
    assert rows == [
        ("render.submitted", 0, 0, 0, 0),
        ("render.started", 0, 0, 0, 0),
        ("render.succeeded", 1250, 2750, 1, 4321),
        ("render.output_deleted", 0, 0, 0, -4321),
    ]
    assert set(
        AnalyticsEvent.objects.exclude(type="credits.moved").values_list("user", "project_id", "resource_id")
    ) == {(alice.pk, project.pk, render.pk)}
    start = AnalyticsEvent.objects.get(type="render.started")
    assert 8000 <= start.waited_ms < 20_000
    assert start.code.startswith("w")


def test_records_a_failure_with_its_code_and_refund(api, alice) -> None:
    render = submit(api, alice)
    assert close_failed(render_id=render.pk, error={"code": "timeout"})
    assert not close_failed(render_id=render.pk, error={"code": "timeout"})
    assert logged("code", "credits", "project_id") == [
        ("render.submitted", "", 0, NO_PROJECT),
        ("render.failed", "timeout", render.credits_reserved, NO_PROJECT),
    ]


def test_records_a_scheduled_render_submitted_and_cancelled_once(api, alice) -> None:
    later = (timezone.now() + timedelta(hours=1)).isoformat()
    render = submit(api, alice, run_at=later)
    cancel_render(render=render)
    cancel_render(render=render)
    assert logged("resource_id") == [("render.submitted", render.pk), ("render.cancelled", render.pk)]


def test_records_nothing_for_a_refused_render(api, alice) -> None:
    body = {"edit": make_edit(length=3600, size={"width": 1920, "height": 1080})}
    answer = api.post("/api/v2/renders", body, headers={"X-API-Key": make_api_key(alice)})
    assert answer.status_code == 402
    assert logged() == []


def test_records_the_deletion_of_a_ready_asset_but_not_of_a_pending_one(alice) -> None:
    project_id = UUID(int=5)
    asset = make_asset(alice, size_bytes=77, project_id=project_id)
    pending = make_asset(alice, status="pending", kind="", size_bytes=None, storage_key="", sha256="")
    for row in (asset, pending):
        delete_asset(asset=row)
    assert logged("code", "size_bytes", "project_id") == [("asset.deleted", "video", -77, project_id)]


def test_records_grants_and_adjustments_once(alice) -> None:
    for _ in range(2):
        credit_services.grant(user_id=alice.pk, amount=500, reference="a")
        credit_services.adjust(user_id=alice.pk, amount=-20, reference="b", note="x")
    credit_services.reserve(user_id=alice.pk, amount=20, reference="c")
    moved = AnalyticsEvent.objects.filter(type="credits.moved", user=alice).order_by("created_at")
    assert list(moved.values_list("code", "credits")) == [("grant", 1000), ("grant", 500), ("adjust", -20)]


def test_records_a_batch_in_one_statement_and_a_failure_loses_only_these_rows(api, alice, monkeypatch, caplog) -> None:
    body = {"edit": make_edit(), "rows": [{}] * 20}
    headers = {"X-API-Key": make_api_key(alice)}
    with CaptureQueriesContext(connection) as queries:
        assert api.post("/api/v2/batches", body, headers=headers).status_code == 202
    table = AnalyticsEvent._meta.db_table
    assert len([query for query in queries if query["sql"].startswith(f'INSERT INTO "{table}"')]) == 1
    assert logged() == [("render.submitted",)] * 20
    monkeypatch.setattr(
        AnalyticsEvent.objects, "bulk_create", lambda rows: AnalyticsEvent(type="x" * 2000, user_id=None).save()
    )
    assert api.post("/api/v2/batches", body, headers=headers).status_code == 202
    assert (Render.objects.count(), len(logged())) == (40, 20)
    assert [record.handler for record in caplog.records if record.message == "subscriber failed"] == ["note_events"]
