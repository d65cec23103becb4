"""Analytics API: exact, current and gap-filled stats of the caller's account."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from analytics.csv_export import csv_lines
from analytics.models import AnalyticsEvent, AnalyticsEventType, RetentionWatermark
from analytics.services import aggregate_events, record_event
from analytics.wait_histogram import bucket_of
from core.ids import encode_id, uuid7
from tests.factories import make_api_key, make_project, make_user

pytestmark = pytest.mark.django_db
DAY = datetime(2026, 3, 10, tzinfo=UTC)
MARCH = {"interval": "day", "since": "2026-03-09", "until": "2026-03-12"}


@pytest.fixture
def alice() -> Any:
    user = make_user("alice")
    AnalyticsEvent.objects.all()._raw_delete("default")
    return user


@pytest.fixture
def client(alice) -> APIClient:
    return APIClient(headers={"X-API-Key": make_api_key(alice, scopes=("analytics:read",))})


def get_stats(client: APIClient, name: str, version: int = 2, **parameters: str) -> Any:
    response = client.get(f"/api/v{version}/analytics/{name}", parameters)
    assert response.status_code == 200, response.content
    return response.json()


def refused_parameter(client: APIClient, **parameters: str) -> Any:
    response = client.get("/api/v2/analytics/renders", parameters)
    assert response.status_code == 400, response.content
    assert response["Content-Type"].startswith("application/problem+json")
    assert response.json()["code"] == "invalid_parameter"
    return response.json()["parameter"]


def record(user: Any, event_type: AnalyticsEventType, hour: float = 0, **fields: Any) -> AnalyticsEvent:
    return record_event(type=event_type, user_id=user.pk, at=DAY + timedelta(hours=hour), **fields)


def test_returns_the_last_24_hours_by_default(client) -> None:
    now = timezone.now()
    body = get_stats(client, "renders")
    since, until = datetime.fromisoformat(body["since"]), datetime.fromisoformat(body["until"])
    assert (body["object"], body["interval"], body["project"]) == ("analytics.renders", "hour", None)
    assert since <= now - timedelta(hours=24)
    assert since > now - timedelta(hours=26)
    assert until >= now
    starts = [datetime.fromisoformat(row["start"]) for row in body["data"]]
    assert starts == [since + timedelta(hours=n) for n in range(len(starts))]
    assert starts[-1] + timedelta(hours=1) == until


@pytest.mark.parametrize("counted", [False, True])
def test_returns_renders_by_day(client, alice, counted: bool) -> None:
    for hour in (0, 1, 23.999):
        record(alice, AnalyticsEventType.RENDER_SUBMITTED, hour)
    for ms in (100, 200, 90_000):
        record(alice, AnalyticsEventType.RENDER_STARTED, 2, code=bucket_of(ms), waited_ms=ms)
    record(alice, AnalyticsEventType.RENDER_SUCCEEDED, 3, duration_ms=60_000, work_ms=15_000, credits=100, size_bytes=5)
    record(alice, AnalyticsEventType.RENDER_SUCCEEDED, 4, duration_ms=30_000, work_ms=30_000, credits=50, size_bytes=5)
    record(alice, AnalyticsEventType.RENDER_FAILED, 25, code="timeout", credits=7)
    record(alice, AnalyticsEventType.RENDER_CANCELLED, 25, credits=3)
    record(alice, AnalyticsEventType.RENDER_SUBMITTED, 48)  # the first moment after the time range
    if counted:
        assert aggregate_events(limit=5) == 5  # only some of them, so that rollups and events are both read
    before, day, after = get_stats(client, "renders", **MARCH)["data"]
    assert [row["start"] for row in (before, day, after)] == [
        "2026-03-09T00:00:00.000000Z",
        "2026-03-10T00:00:00.000000Z",
        "2026-03-11T00:00:00.000000Z",
    ]
    assert (before["submitted"], before["success_rate"], before["speed_factor"]) == (0, None, None)
    assert before["queue_wait_p50_s"] is None
    assert (day["submitted"], day["started"], day["succeeded"]) == (3, 3, 2)
    assert (day["output_s"], day["render_minutes"], day["speed_factor"]) == (90.0, 0.75, 2.0)
    assert day["queue_wait_p50_s"] == pytest.approx(0.2, rel=0.1)
    assert day["queue_wait_p95_s"] == pytest.approx(90, rel=0.1)
    assert (after["failed"], after["cancelled"], after["success_rate"]) == (1, 1, 0.0)
    totals = get_stats(client, "renders", **MARCH)["totals"]
    assert (totals["submitted"], totals["success_rate"]) == (3, 0.6667)


def test_usage_has_the_storage_at_the_end_of_each_bucket(client, alice) -> None:
    record(alice, AnalyticsEventType.ASSET_READY, -24 * 40, code="video", size_bytes=1000)
    aggregate_events()
    record(alice, AnalyticsEventType.ASSET_READY, -5, code="image", size_bytes=20)
    record(alice, AnalyticsEventType.RENDER_SUCCEEDED, 1, credits=120, size_bytes=300, duration_ms=1, work_ms=1)
    record(alice, AnalyticsEventType.RENDER_FAILED, 1, code="x", credits=45)
    aggregate_events()
    record(alice, AnalyticsEventType.OUTPUT_DELETED, 2, size_bytes=-300)
    record(alice, AnalyticsEventType.ASSET_DELETED, 2, code="image", size_bytes=-20)
    record(alice, AnalyticsEventType.CREDITS_MOVED, 3, code="grant", credits=1000)
    record(alice, AnalyticsEventType.CREDITS_MOVED, 3, code="adjust", credits=-250)
    record(alice, AnalyticsEventType.CREDITS_MOVED, 3, code="deduct", credits=-70)
    record(alice, AnalyticsEventType.CREDITS_MOVED, 3, code="refund", credits=30)
    hours = {"since": "2026-03-10T00:00:00Z", "until": "2026-03-10T04:00:00Z"}
    body = get_stats(client, "usage", **hours)
    rows = body["data"]
    assert [row["storage_bytes"] for row in rows] == [1020, 1320, 1000, 1000]
    assert (rows[1]["credits_charged"], rows[1]["credits_refunded"], rows[1]["rendered_bytes"]) == ("1.20", "0.45", 300)
    assert (rows[3]["credits_granted"], rows[3]["credits_adjusted"]) == ("10.00", "-2.50")
    assert (rows[3]["credits_charged"], rows[3]["credits_refunded"]) == ("0.70", "0.30")
    assert body["totals"]["storage_bytes"] == 1000
    assert (body["totals"]["assets_added"], body["totals"]["assets_deleted"]) == (0, 1)
    days = get_stats(client, "usage", **MARCH)["data"]
    assert [row["storage_bytes"] for row in days] == [1020, 1000, 1000]


def test_errors_by_code_with_share_and_latest_example(client, alice) -> None:
    ids = [uuid7() for _ in range(4)]
    record(alice, AnalyticsEventType.RENDER_FAILED, 1, code="timeout", resource_id=ids[0])
    record(alice, AnalyticsEventType.RENDER_FAILED, 9, code="timeout", resource_id=ids[1])
    aggregate_events()
    record(alice, AnalyticsEventType.RENDER_FAILED, 5, code="timeout", resource_id=ids[2])
    record(alice, AnalyticsEventType.ASSET_FAILED, 30, code="too_large", resource_id=ids[3])
    body = get_stats(client, "errors", **MARCH)
    assert body["data"][1]["codes"] == {"timeout": 3}
    assert [row["count"] for row in body["data"]] == [0, 3, 1]
    assert body["totals"]["count"] == 4
    first, second = body["codes"]
    assert (first["code"], first["object"], first["count"], first["share"]) == ("timeout", "render", 3, 0.75)
    assert (first["latest_id"], first["latest_at"]) == (encode_id("rnd", ids[1]), "2026-03-10T09:00:00.000000Z")
    assert (second["object"], second["latest_id"]) == ("asset", encode_id("ast", ids[3]))


def test_filters_by_project(client, alice) -> None:
    project = make_project(alice)
    record(alice, AnalyticsEventType.RENDER_SUBMITTED, 1, project_id=project.pk)
    record(alice, AnalyticsEventType.RENDER_SUBMITTED, 1)
    aggregate_events()
    record(alice, AnalyticsEventType.RENDER_SUBMITTED, 1, project_id=project.pk)
    body = get_stats(client, "renders", **MARCH, project=project.public_id)
    assert (body["totals"]["submitted"], body["project"]) == (2, project.public_id)
    assert get_stats(client, "renders", **MARCH)["totals"]["submitted"] == 3


def test_another_users_stats_are_not_counted(client, alice) -> None:
    bob = make_user("bob")
    project = make_project(bob)
    record(bob, AnalyticsEventType.RENDER_SUBMITTED, 1, project_id=project.pk)
    aggregate_events()
    record(bob, AnalyticsEventType.RENDER_FAILED, 1, project_id=project.pk, code="timeout")
    for parameters in (MARCH, {**MARCH, "project": project.public_id}):
        assert get_stats(client, "renders", **parameters)["totals"]["submitted"] == 0
        assert get_stats(client, "errors", **parameters)["codes"] == []


def test_bounds_are_widened_to_whole_buckets_in_utc(client, alice) -> None:
    body = get_stats(client, "renders", since="2026-03-10T01:30:00+02:00", until="2026-03-10T00:00:01Z")
    assert body["since"] == "2026-03-09T23:00:00.000000Z"
    assert body["until"] == "2026-03-10T01:00:00.000000Z"
    assert len(body["data"]) == 2


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"interval": "week"}, "interval"),
        ({"intervall": "day"}, "intervall"),
        ({"since": "yesterday"}, "since"),
        ({"since": "2026-02-30"}, "since"),
        ({"since": ""}, "since"),
        ({"until": "0001-01-01"}, "until"),
        ({"until": "9999-12-31T23:59:59Z", "since": "9999-12-31T23:00:00Z"}, "until"),
        ({"since": "2026-03-10", "until": "2026-03-10"}, "since"),
        ({"since": "2026-03-11", "until": "2026-03-10"}, "since"),
        ({"since": "2020-01-01", "until": "2026-01-01"}, "since"),
        ({"interval": "day", "since": "2020-01-01", "until": "2026-01-01"}, "since"),
        ({"project": "tpl_00000000000000000000000000"}, "project"),
        ({"project": "prj_1"}, "project"),
        ({"format": "csv"}, "format"),
    ],
)
def test_refuses_invalid_parameters(client, parameters, name) -> None:
    assert refused_parameter(client, **parameters) == name


def test_refuses_more_than_1000_buckets(client) -> None:
    assert len(get_stats(client, "renders", interval="day", since="2024-01-01", until="2026-09-27")["data"]) == 1000
    assert refused_parameter(client, interval="day", since="2024-01-01", until="2026-09-28") == "since"


def test_refuses_hours_that_were_purged(client) -> None:
    RetentionWatermark.objects.create(name="hourly", complete_since=DAY)
    assert refused_parameter(client, since="2026-03-09T23:00:00Z", until="2026-03-10T02:00:00Z") == "since"
    get_stats(client, "renders", since="2026-03-10T00:00:00Z", until="2026-03-10T02:00:00Z")
    get_stats(client, "renders", **MARCH)


def test_streams_csv(client, alice) -> None:
    record(alice, AnalyticsEventType.RENDER_FAILED, 1, code="=cmd|'/c calc'!A0")
    for name in ("renders", "usage", "errors"):
        response = client.get(f"/api/v2/analytics/{name}", MARCH, headers={"Accept": "text/csv"})
        assert response.status_code == 200
        assert response["Content-Type"] == "text/csv; charset=utf-8"
        assert "Accept" in response["Vary"]
        assert f"analytics-{name}-20260309-20260312.csv" in response["Content-Disposition"]
        assert response.streaming
        rows = list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode())))
        if name == "errors":
            assert [(row["object"], row["code"], row["count"]) for row in rows] == [
                ("render", "'=cmd|'/c calc'!A0", "1")
            ]
        else:
            assert len(rows) == 3
            body = get_stats(client, name, **MARCH)["data"]
            assert rows[1] == {key: "" if value is None else str(value) for key, value in body[1].items()}


def test_errors_of_csv_requests_are_problem_documents(client) -> None:
    response = client.get("/api/v2/analytics/usage", {"since": "x"}, headers={"Accept": "text/csv"})
    assert response.status_code == 400
    assert response.json()["parameter"] == "since"


@pytest.mark.parametrize(
    ("value", "cell"),
    [("-0.20", "-0.20"), ("-1+2", "'-1+2"), ("@SUM(A1)", "'@SUM(A1)"), ("+1", "'+1"), ("\tx", "'\tx"), (-5, "-5")],
)
def test_escapes_formulas_in_csv_cells(value, cell) -> None:
    assert list(csv_lines(["a"], [{"a": value}]))[1] == f"{cell}\r\n"


def test_both_versions_return_the_same_body(client, alice) -> None:
    record(alice, AnalyticsEventType.RENDER_SUBMITTED, 1)
    for name in ("renders", "usage", "errors"):
        assert get_stats(client, name, 1, **MARCH) == get_stats(client, name, 2, **MARCH)


def test_the_number_of_queries_does_not_grow_with_the_time_range(client, alice, django_assert_max_num_queries) -> None:
    record(alice, AnalyticsEventType.RENDER_FAILED, 1, code="x")
    aggregate_events()
    for name in ("renders", "usage", "errors"):
        with django_assert_max_num_queries(5):
            get_stats(client, name, interval="day", since="2025-03-09", until="2026-03-12")
