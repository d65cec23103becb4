"""Endpoints of the inbox: list, detail, mark read, unread count."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from notifications.models import Notification
from tests.factories import make_notification, make_user

pytestmark = pytest.mark.django_db


def test_lists_newest_first_in_both_versions(client_of_alice, alice) -> None:
    rows = [make_notification(alice) for _ in range(3)]
    make_notification()
    ids = [row.public_id for row in reversed(rows)]
    second = client_of_alice.get("/api/v2/notifications").json()
    assert [item["id"] for item in second["data"]] == ids
    assert (second["object"], second["has_more"]) == ("list", False)
    first = client_of_alice.get("/api/v1/notifications").json()
    assert [item["id"] for item in first["data"]] == ids
    assert first["pagination"]["total"] == 3


def test_a_notification_has_the_documented_members(client_of_alice, alice) -> None:
    row = make_notification(alice, kind="render.failed", title="T", body="B", resource="rnd_1")
    body = client_of_alice.get(f"/api/v2/notifications/{row.public_id}").json()
    assert body == {
        "id": row.public_id,
        "object": "notification",
        "kind": "render.failed",
        "title": "T",
        "body": "B",
        "resource": "rnd_1",
        "read_at": None,
        "created_at": row.created_at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
    }
    bare = make_notification(alice, resource="")
    assert client_of_alice.get(f"/api/v2/notifications/{bare.public_id}").json()["resource"] is None


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("unread=true", ["b", "a"]),
        ("unread=false", ["c"]),
        ("kind=render.failed", ["b"]),
        ("kind=render.failed,asset.failed", ["c", "b"]),
        ("kind=nothing", []),
        ("ordering=created_at", ["a", "b", "c"]),
    ],
)
def test_filters_by_kind_and_read_state(client_of_alice, alice, query, found) -> None:
    make_notification(alice, title="a")
    make_notification(alice, title="b", kind="render.failed")
    make_notification(alice, title="c", kind="asset.failed", read_at=timezone.now())
    answer = client_of_alice.get(f"/api/v2/notifications?{query}")
    assert [item["title"] for item in answer.json()["data"]] == found


@pytest.mark.parametrize("query", ["unread=maybe", "read=true", "kind=", "created_at__gte=soon", "limit=0", "status=x"])
def test_refuses_unknown_and_invalid_parameters(client_of_alice, query) -> None:
    answer = client_of_alice.get(f"/api/v2/notifications?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")


def test_filters_by_time(client_of_alice, alice) -> None:
    old = make_notification(alice, created_at=timezone.now() - timedelta(days=2))
    new = make_notification(alice)
    edge = (timezone.now() - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    for query, row in ((f"created_at__gte={edge}", new), (f"created_at__lt={edge}", old)):
        data = client_of_alice.get(f"/api/v2/notifications?{query}").json()["data"]
        assert [item["id"] for item in data] == [row.public_id]


def test_marks_a_notification_read_and_unread(client_of_alice, alice) -> None:
    row = make_notification(alice)
    path = f"/api/v2/notifications/{row.public_id}"
    first = client_of_alice.patch(path, {"read": True})
    assert first.status_code == 200
    row.refresh_from_db()
    assert row.read_at is not None
    again = client_of_alice.patch(path, {"read": True})
    assert again.json()["read_at"] == first.json()["read_at"]
    assert client_of_alice.patch(path, {"read": False}).json()["read_at"] is None
    assert client_of_alice.patch(path, {"read": False}).json()["read_at"] is None
    row.refresh_from_db()
    assert row.read_at is None


@pytest.mark.parametrize("body", [{}, {"read": "yes"}, {"read": 1}, {"read": None}, {"read": True, "title": "x"}, []])
def test_refuses_other_changes(client_of_alice, alice, body) -> None:
    row = make_notification(alice)
    answer = client_of_alice.patch(f"/api/v2/notifications/{row.public_id}", body)
    assert answer.status_code == 422
    row.refresh_from_db()
    assert row.read_at is None


def test_marks_all_read_before_a_time_or_of_a_kind(client_of_alice, alice) -> None:
    long_ago = timezone.now() - timedelta(days=1)
    make_notification(alice, title="old", created_at=long_ago)
    make_notification(alice, title="failed", kind="render.failed")
    make_notification(alice, title="new")
    other = make_notification()
    path = "/api/v2/notifications/mark-all-read"
    before = (long_ago + timedelta(minutes=1)).isoformat()
    assert client_of_alice.post(path, {"before": before}).json() == {"object": "mark_all_read", "marked": 1}
    assert client_of_alice.post(path, {"kind": "render.failed"}).json()["marked"] == 1
    unread = Notification.objects.for_owner(alice).unread()
    assert [row.title for row in unread] == ["new"]
    assert client_of_alice.post(path).json()["marked"] == 1
    assert client_of_alice.post(path, {}).json()["marked"] == 0
    assert not unread.all().exists()
    other.refresh_from_db()
    assert other.read_at is None


@pytest.mark.parametrize(
    "body", [{"before": "soon"}, {"since": "2026-01-01T00:00:00Z"}, {"kind": ""}, {"kind": []}, []]
)
def test_mark_all_read_refuses_invalid_bodies(client_of_alice, alice, body) -> None:
    row = make_notification(alice)
    answer = client_of_alice.post("/api/v2/notifications/mark-all-read", body)
    assert answer.status_code == 422
    row.refresh_from_db()
    assert row.read_at is None


def test_many_notifications_take_as_many_queries_as_one(client_of_alice, alice, django_assert_num_queries) -> None:
    rows = [Notification(user=alice, kind="render.failed", title="t") for _ in range(10_000)]
    Notification.objects.bulk_create(rows, batch_size=2000)
    make_notification()
    authentication = 1
    client_of_alice.get("/api/v2/me")  # records the use of the key
    with django_assert_num_queries(authentication + 1):
        assert client_of_alice.get("/api/v2/notifications/unread-count").json()["unread"] == 10_000
    with django_assert_num_queries(authentication + 1):
        assert len(client_of_alice.get("/api/v2/notifications?limit=100").json()["data"]) == 100
    with django_assert_num_queries(authentication + 2):
        assert client_of_alice.get("/api/v1/notifications").json()["pagination"]["total"] == 10_000
    with django_assert_num_queries(authentication + 1):
        assert client_of_alice.post("/api/v2/notifications/mark-all-read").json()["marked"] == 10_000
    assert client_of_alice.get("/api/v2/notifications/unread-count").json()["unread"] == 0
    assert Notification.objects.unread().count() == 1


def test_each_index_serves_its_query(alice) -> None:
    users = [alice, *(make_user() for _ in range(9))]
    now = timezone.now()
    rows = [
        Notification(
            user=users[number % 10],
            kind=("render.succeeded", "render.failed", "asset.failed")[number // 10 % 3],
            title="t",
            read_at=now if number // 10 % 5 else None,
            created_at=now - timedelta(seconds=number),
        )
        for number in range(4000)
    ]
    Notification.objects.bulk_create(rows, batch_size=1000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE notifications_notification")
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_sort = off")
            cursor.execute("SET LOCAL enable_incremental_sort = off")
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")
    mine, newest = Notification.objects.for_owner(alice), ("-created_at", "-pk")
    plans = {
        "idx_notifications_user_read_created": mine.order_by(*newest)[:26],
        "idx_notifications_user_type": mine.filter(kind="render.failed").order_by(*newest)[:26],
        "idx_notifications_unread": mine.unread().order_by(*newest)[:26],
        "idx_notifications_created": Notification.objects.filter(created_at__lt=now).order_by("created_at")[:500],
    }
    for name, query in plans.items():
        plan = query.explain()
        assert name in plan, f"{name} is not used:\n{plan}"
        assert "Sort" not in plan, plan
        assert "TEMP B-TREE" not in plan, plan
    unread = mine.unread().order_by().values("user").explain()
    assert "idx_notifications_unread" in unread, unread
