"""Prepared lists answer what the querysets of their views answer, to the byte; what is unusual is left to the views."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test import Client

from core.api.cursors import Cursor
from core.api.prepared import PreparedList
from core.api.rawvalues import NativeValues, TextValues, read_document
from core.api.renderers import JsonRenderer
from core.ids import encode_id, uuid7
from credits.services import grant
from renders.models import Render
from renders.shapes import RENDER_LIST
from tests.factories import (
    make_api_key,
    make_asset,
    make_batch,
    make_hold,
    make_notification,
    make_project,
    make_render,
    make_template,
    make_user,
)

PASSING = {"Date", "X-Request-Id", "Server-Timing"}
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ISSUE = {"pointer": "/timeline", "code": "coerced", "detail": 'é \u2028 " <b>', "internal": 1}
ERROR = {"code": "x", "message": "No.", "retryable": False, "pointer": None, "step": "fetching", "attempt": 1}
LABELS = {"order": "1881", "é": None, "big": 2**63, "tiny": 5e-324, "point": 1.0, "yes": True}


class Asker:
    """Asks for a list both ways. key: of alice, who owns what is listed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
        self.key = key
        self._monkeypatch = monkeypatch
        self._client = Client(raise_request_exception=False)

    def both_ways(self, url: str, **headers: str) -> tuple[Any, bool]:
        """Return the answer, which is the same both ways, and whether it was prepared."""
        plans: list[Any] = []
        plan = PreparedList.plan

        def noted(listed: PreparedList, *args: Any) -> Any:
            plans.append(plan(listed, *args))
            return plans[-1]

        answers = []
        for replaced in (lambda *args: None, noted):
            with self._monkeypatch.context() as patched:
                patched.setattr(PreparedList, "plan", replaced)
                answers.append(self._client.get(url, headers={"X-API-Key": self.key, **headers}))
        assert seen_of(answers[1]) == seen_of(answers[0]), url
        return answers[1], any(plans)


def seen_of(answer: Any) -> tuple[int, dict[str, str], bytes]:
    headers = {name: value for name, value in answer.headers.items() if name not in PASSING}
    body = answer.content
    if answer.status_code >= 400:
        # Its `instance` is the id of the request.
        body = b"".join(part for part in body.split(b",") if b"urn:uuid:" not in part)
    return answer.status_code, headers, body


@pytest.fixture
def alice(db):
    return make_user("alice")


@pytest.fixture
def asker(alice, monkeypatch) -> Asker:
    return Asker(monkeypatch, make_api_key(alice))


@pytest.fixture
def world(alice) -> dict[str, str]:
    """Renders of all kinds, several of one instant, and somebody else's; ids by which they can be asked for."""
    bob = make_user("bob")
    project, template, batch = make_project(alice), make_template(alice), make_batch(alice, total=2)
    theirs = make_project(bob)
    make_render(bob, status="succeeded", project=theirs)
    pictures = {"poster_key": "renders/a/1/poster.jpg", "thumbnail_key": "renders/a/1/thumbnail.jpg"}
    first = make_render(alice, status="succeeded", project=project, created_at=NOON, metadata=LABELS, **pictures)
    rows: list[dict[str, Any]] = [
        {"status": "succeeded", "output_deleted_at": NOON, **pictures},
        {"status": "succeeded", "output_width": None, "output_fps": None, "output_format": "mp3", "poster_key": ""},
        {"status": "failed", "error": ERROR, "warnings": [ISSUE, ISSUE], "template": template},
        {"status": "queued", "error": ERROR, "priority": 0, "retry_of": first},
        {"status": "rendering", "percent": 41.7, "eta_s": 1e-7, "speed_fps": 0.1 + 0.2, "progress_at": NOON},
        {"status": "scheduled", "queued_at": None, "run_at": NOON, "priority": 3},
        {"status": "cancelled", "credits_charged": None, "credits_reserved": 123_456},
    ]
    for number, fields in enumerate(rows):
        moment = NOON + timedelta(microseconds=number // 3)
        make_render(alice, **{"created_at": moment, "project": project if number % 2 else None, **fields})
    ids = {"project": project, "template": template, "batch": batch, "theirs": theirs}
    return {name: row.public_id for name, row in ids.items()}


def cursor_of(**changed: Any) -> str:
    row = {"ordering": "-created_at", "forward": True, "value": NOON.isoformat(), "pk": str(uuid7())}
    return quote(Cursor(**{**row, **changed}).encode())


PREPARED = [
    "",
    "limit=3",
    "limit=100&ordering=created_at",
    "ordering=-created_at&limit=1",
    "status=queued",
    "status=succeeded,failed,failed",
    "priority=urgent",
    "project={project}",
    "project={theirs}",
    "template={template}&status=failed",
    "project={project}&status=succeeded&limit=1&priority=normal",
    "created_at__gte=2026-11-23T12:00:00Z&created_at__lt=2026-11-23T12:00:00.000002Z",
    "created_at__gte=2026-11-23T12:00:00.000001Z",
    "created_at__lt=2026-11-23T12:00:00.001Z&ordering=created_at",
    "created_at__lt=0001-01-01T00:00:00Z",
    "api_version=2",
]
SECOND = ["batch={batch}", f"cursor={cursor_of()}", f"cursor={cursor_of(forward=False)}&limit=2"]
FIRST = ["per_page=2&page=2", "page=1000000", "per_page=3&status=succeeded&ordering=created_at", "page=5&per_page=100"]
UNUSUAL = [
    "metadata[order]=1881",
    "status=",
    "status=queued,",
    "status=done",
    "status=Queued",
    "status=queued&status=failed",
    "priority=2",
    "priority=URGENT",
    "project=",
    "project=nothing",
    "project=rnd_00000000000000000000000000",
    "created_at__gte=2026-11-23",
    "created_at__gte=2026-11-23T12:00:00",
    "created_at__gte=2026-11-23T14:00:00%2B02:00",
    "created_at__gte=2026-13-23T12:00:00Z",
    "created_at__gte=2026-11-23T12:00:00.1Z",
    "created_at__lt=soon",
    "created_at=2026-11-23T12:00:00Z",
    "owner=somebody",
    "nothing=1",
    "ordering=status",
    "ordering=",
    "status=%C3%A9",
    "limit=1%00",
    f"status={'queued,' * 80}queued",
]
UNUSUAL_SECOND = [
    "limit=0",
    "limit=101",
    "limit=x",
    "limit=",
    "page=1",
    "cursor=x",
    "cursor=%C3%A9",
    f"cursor={cursor_of()}&ordering=created_at",
    f"cursor={cursor_of(value='soon')}",
    f"cursor={cursor_of(value='2026-11-23')}",
    f"cursor={cursor_of(pk='1')}",
    f"cursor={cursor_of(pk=uuid7().hex)}",
    f"cursor={cursor_of(value='0001-01-01T00:00:00+14:00')}",
]
UNUSUAL_FIRST = ["page=0", "page=1000001", "per_page=101", "per_page=-1", "limit=3", "cursor=x", "batch={batch}"]


@pytest.mark.parametrize(
    ("version", "queries", "is_prepared"),
    [
        (2, PREPARED + SECOND, True),
        (1, PREPARED[5:9] + PREPARED[11:15] + FIRST + [""], True),
        (2, UNUSUAL + UNUSUAL_SECOND, False),
        (1, UNUSUAL[:6] + UNUSUAL_FIRST, False),
    ],
    ids=["v2", "v1", "v2 unusual", "v1 unusual"],
)
def test_both_ways_answer_the_same(version, queries, is_prepared, asker, world) -> None:
    for query in queries:
        answer, was_prepared = asker.both_ways(f"/api/v{version}/renders?{query.format(**world)}")
        assert was_prepared is is_prepared, query
        if is_prepared:
            assert answer.status_code == 200, query


@pytest.fixture
def others(alice) -> None:
    """Notices, movements and assets of alice and of somebody else."""
    project = make_project(alice)
    for owner in (make_user("bob"), alice):
        for number, kind in enumerate(["render.succeeded", "render.failed", "credits.low"] * 2):
            read_at = NOON if number % 2 else None
            make_notification(owner, kind=kind, resource="" if number < 3 else "rnd_x", body="é", read_at=read_at)
        grant(user_id=owner.pk, amount=12_345, reference=f"grant:{owner.pk}", note='a "note"')
        make_hold(make_asset(owner, name="Ünï.mp4", poster_key="assets/test/poster.jpg", project_id=project.pk))
        nothing = {"sha256": "", "storage_key": "", "content_type": "", "probe": None, "size_bytes": None}
        error = {"code": "fetch_failed", "detail": "No.", "internal": 1}
        make_asset(owner, status="failed", kind="", error=error, created_at=NOON, **nothing)
        picture = {"width": 1, "height": 1, "duration_s": None, "fps": None, "has_alpha": True}
        make_asset(owner, kind="image", content_type="image/png", probe=picture | {"video_codec": "png"})
        make_asset(owner, kind="audio", content_type="audio/mpeg", probe={"duration_s": 3, "has_alpha": False})


OTHERS = {
    "notifications": [
        "",
        "unread=true",
        "unread=false&limit=1",
        "kind=render.failed",
        "kind=credits.low,render.failed",
    ],
    "credits/entries": ["", "kind=grant", "kind=grant,reserve&limit=1"],
    "assets": ["", "limit=1", "kind=image,audio", "status=failed", "status=ready&kind=video"],
}
OTHERS_UNUSUAL = {
    "notifications": ["unread=1", "kind=", "kind=a,,b", "kind=A b", "kind=%20render.failed", "read=true"],
    "credits/entries": ["kind=nothing", "kind=grant,", "limit=0"],
    "assets": ["kind=picture", "project=nothing", "status=ready&status=failed", "page=1"],
}


def test_other_lists_answer_the_same_both_ways(asker, others, alice) -> None:
    found = {}
    for path, queries in OTHERS.items():
        for version in (1, 2):
            for query in queries:
                name = query.replace("limit", "per_page") if version == 1 else query
                answer, was_prepared = asker.both_ways(f"/api/v{version}/{path}?{name}")
                assert (answer.status_code, was_prepared) == (200, True), (path, query)
                found[path, query] = [row["id"] for row in answer.json()["data"]]
    for path, queries in OTHERS_UNUSUAL.items():
        for query in queries:
            assert asker.both_ways(f"/api/v2/{path}?{query}")[1] is False, (path, query)
    unread = alice.notifications.filter(read_at=None).order_by("-created_at", "-pk")
    assert found["notifications", "unread=true"] == [row.public_id for row in unread]
    assert len(found["assets", ""]) == 4
    assert len(found["credits/entries", "kind=grant"]) >= 1


def test_what_is_prepared_is_what_the_owner_has(asker, world, alice) -> None:
    rows, _ = asker.both_ways("/api/v2/renders?limit=100")
    assert [row["id"] for row in rows.json()["data"]] == [
        row.public_id for row in Render.objects.filter(owner=alice).order_by("-created_at", "-pk")
    ]
    asker.key = make_api_key(make_user("charlie"))
    for url in ("/api/v2/renders", "/api/v1/renders", f"/api/v2/renders?project={world['project']}"):
        empty, was_prepared = asker.both_ways(url)
        assert (empty.json()["data"], was_prepared) == ([], True)
    asker.key = make_api_key(alice, scopes=("assets:read",))
    refused, was_prepared = asker.both_ways("/api/v2/renders")
    assert (refused.status_code, was_prepared) == (403, False)


@pytest.mark.parametrize("ordering", ["created_at", "-created_at"])
def test_walking_there_and_back(ordering, asker, world, alice) -> None:
    sign = "-" if ordering.startswith("-") else ""
    expected = [row.public_id for row in Render.objects.filter(owner=alice).order_by(ordering, f"{sign}pk")]
    there, back = [], []
    url: str | None = f"/api/v2/renders?limit=3&ordering={ordering}"
    for relation, found in (("next", there), ("prev", back)):
        while url is not None:
            answer, was_prepared = asker.both_ways(url)
            assert was_prepared
            found.append([row["id"] for row in answer.json()["data"]])
            links = [part for part in answer.headers.get("Link", "").split(", ") if f'rel="{relation}"' in part]
            url, last = (links[0].partition(">")[0].removeprefix("<") if links else None), answer.json()
        url = f"/api/v2/renders?limit=3&ordering={ordering}&cursor={last['prev_cursor']}"
    assert [row for page in there for row in page] == expected
    assert back == there[-2::-1]


def test_one_list_costs_three_statements_at_most(asker, world, django_assert_max_num_queries) -> None:
    client = Client(headers={"X-API-Key": asker.key})
    client.get("/api/v2/renders")
    for url, most in (("/api/v2/renders?status=queued&limit=25", 2), ("/api/v1/renders", 3)):
        with django_assert_max_num_queries(most):
            assert client.get(url).status_code == 200


def test_the_index_of_the_list_serves_it(alice) -> None:
    Render.objects.bulk_create(
        Render(owner=owner, edit={}, created_at=NOON + timedelta(seconds=n))
        for owner in (alice, *(make_user() for _ in range(10)))
        for n in range(20)
    )
    plan = RENDER_LIST.plan("", 2)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")
        explain = "EXPLAIN " if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN "
        cursor.execute(explain + plan.sql, (str(alice.pk) if connection.vendor == "postgresql" else alice.pk.hex,))
        steps = str(cursor.fetchall())
    assert "idx_renders_user_created" in steps
    assert "TEMP B-TREE" not in steps
    assert "Sort" not in steps


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        "null",
        '{"a": [1, 1.0, -0.0, 5e-324, true, null]}',
        '"\\u00e9 \\ud83e\\udd89"',
        "18446744073709551616",
        "-9223372036854775809",
        '{"n": NaN, "i": Infinity, "j": -Infinity}',
        "1e999",
        '{"a": 1, "a": 2}',
    ],
)
def test_documents_are_written_as_django_reads_them(text) -> None:
    column = Render._meta.get_field("metadata")
    expected = column.from_db_value(text, column.get_col("renders_render"), connection)
    assert JsonRenderer().render([read_document(text)]) == JsonRenderer().render([expected])


def test_times_and_ids_of_both_databases() -> None:
    pk = uuid7()
    whole, broken = NOON, NOON.replace(microsecond=7)
    for moment in (whole, broken):
        expected = moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
        stored = str(moment.replace(tzinfo=None))
        assert TextValues().time(stored) == NativeValues().time(moment) == expected
        assert TextValues().time(f"{stored}+00:00") == expected
        assert TextValues().edge(stored, pk.hex) == NativeValues().edge(moment, pk) == (moment, pk)
    assert TextValues().public_id("rnd", pk.hex) == NativeValues().public_id("rnd", pk) == encode_id("rnd", pk)
    for values in (TextValues(), NativeValues()):
        assert (values.time(None), values.public_id("rnd", None), values.document(None)) == (None, None, None)
