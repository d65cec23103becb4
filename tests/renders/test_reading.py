"""The list and the detail of renders, in both versions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from renders.models import Render
from tests.factories import make_project, make_render, make_template, make_user

pytestmark = pytest.mark.django_db
RENDERS = "/api/v2/renders"
MEMBERS = {
    "id",
    "object",
    "status",
    "progress",
    "priority",
    "project",
    "template",
    "output",
    "poster_url",
    "thumbnail_url",
    "credits",
    "error",
    "warnings",
    "notes",
    "metadata",
    "retry_of",
    "batch",
    "created_at",
    "queued_at",
    "started_at",
    "finished_at",
    "links",
}
PROGRESS = {
    "percent",
    "step",
    "frame",
    "total_frames",
    "fps",
    "eta_s",
    "attempt",
    "max_attempts",
    "queue_position",
    "updated_at",
}
OUTPUT = {"url", "url_expires_at", "format", "width", "height", "fps", "duration_s", "size_bytes", "sha256"}


def ids(client, query=""):
    response = client.get(f"{RENDERS}{query}")
    assert response.status_code == 200, response.content
    return [row["id"] for row in response.json()["data"]]


def test_a_finished_render_has_every_member(client, alice):
    render = make_render(alice, status="succeeded", poster_key="renders/x/1/poster.jpg")
    answer = client.get(f"{RENDERS}/{render.public_id}").json()
    assert set(answer) == MEMBERS
    assert set(answer["progress"]) == PROGRESS
    assert set(answer["output"]) == OUTPUT
    assert answer["progress"]["percent"] == 100
    assert answer["output"]["url"].startswith("http://testserver/files/")
    assert answer["output"]["url"].endswith(f"/{render.public_id}.mp4")
    assert answer["poster_url"].startswith("http://testserver/files/")
    assert answer["thumbnail_url"] is None
    assert answer["credits"] == {"reserved": "0.01", "charged": "0.01"}
    links = answer["links"]
    assert links["self"] == f"http://testserver{RENDERS}/{render.public_id}"
    assert links["log"] == f"{links['self']}/log"


def test_version_1_has_a_number_for_progress_and_its_own_links(client, alice):
    render = make_render(alice, status="rendering", percent=41.7)
    answer = client.get(f"/api/v1/renders/{render.public_id}").json()
    assert set(answer) == MEMBERS
    assert answer["progress"] == 41.7
    assert "/api/v1/renders/" in answer["links"]["self"]
    listed = client.get("/api/v1/renders").json()
    assert set(listed) == {"data", "pagination"}
    assert listed["data"][0]["progress"] == 41.7


def test_an_error_shows_only_if_the_render_failed(client, alice):
    error = {"code": "x", "message": "y", "retryable": True, "pointer": None, "step": "fetching", "attempt": 1}
    waiting = make_render(alice, status="queued", error=error)
    failed = make_render(alice, status="failed", error=error)
    assert client.get(f"{RENDERS}/{waiting.public_id}").json()["error"] is None
    assert client.get(f"{RENDERS}/{failed.public_id}").json()["error"] == error


def test_shows_the_queue_position(client, alice):
    bob = make_user("bob")
    make_render(bob, priority=2)
    mine = make_render(alice, priority=2)
    make_render(bob, priority=0)
    make_render(bob, priority=3)
    assert client.get(f"{RENDERS}/{mine.public_id}").json()["progress"]["queue_position"] == 3
    done = make_render(alice, status="succeeded")
    assert client.get(f"{RENDERS}/{done.public_id}").json()["progress"]["queue_position"] is None


def test_a_list_of_25_takes_three_queries(client, alice, django_assert_max_num_queries):
    project, template = make_project(alice), make_template(alice)
    for _ in range(26):
        make_render(alice, status="succeeded", project=project, template=template)
    with django_assert_max_num_queries(3):
        body = client.get(RENDERS).json()
    assert len(body["data"]) == 25
    assert body["has_more"] is True
    with django_assert_max_num_queries(4):
        assert client.get("/api/v1/renders").json()["pagination"]["total"] == 26


def test_cursors_reach_every_render_once(client, alice):
    made = [make_render(alice).public_id for _ in range(7)]
    seen, path = [], f"{RENDERS}?limit=3"
    while path:
        body = client.get(path).json()
        seen += [row["id"] for row in body["data"]]
        path = f"{RENDERS}?limit=3&cursor={body['next_cursor']}" if body["next_cursor"] else None
    assert seen == made[::-1]


def test_hides_renders_of_other_accounts(client):
    make_render(make_user("bob"))
    assert ids(client) == []


class TestFilters:
    """Each filter narrows the list; unknown ones are refused."""

    def test_status(self, client, alice):
        renders = {status: make_render(alice, status=status) for status in ("queued", "rendering", "failed")}
        assert ids(client, "?status=failed") == [renders["failed"].public_id]
        assert set(ids(client, "?status=queued,rendering")) == {
            renders["queued"].public_id,
            renders["rendering"].public_id,
        }

    def test_project_template_and_priority(self, client, alice):
        project, template = make_project(alice), make_template(alice)
        make_render(alice)
        in_project = make_render(alice, project=project)
        of_template = make_render(alice, template=template)
        urgent = make_render(alice, priority=0)
        assert ids(client, f"?project={project.public_id}") == [in_project.public_id]
        assert ids(client, f"?template={template.public_id}") == [of_template.public_id]
        assert ids(client, "?priority=urgent") == [urgent.public_id]

    def test_time(self, client, alice):
        noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
        early, late = (make_render(alice, created_at=noon + timedelta(hours=hours)) for hours in (-1, 0))
        assert ids(client, "?created_at__gte=2026-11-23T12:00:00Z") == [late.public_id]
        assert ids(client, "?created_at__lt=2026-11-23T12:00:00Z") == [early.public_id]

    def test_metadata(self, client, alice):
        wanted = make_render(alice, metadata={"order_id": "1881", "count": 3, "dotted.key": "x"})
        make_render(alice, metadata={"order_id": "1882"})
        make_render(alice)
        assert ids(client, "?metadata[order_id]=1881") == [wanted.public_id]
        assert ids(client, "?metadata[count]=3") == [wanted.public_id]
        assert ids(client, "?metadata[dotted.key]=x&metadata[order_id]=1881") == [wanted.public_id]
        assert ids(client, "?metadata[order_id]=1881&metadata[count]=4") == []

    @pytest.mark.parametrize(
        ("query", "parameter"),
        [
            ("statuss=queued", "statuss"),
            ("status=sleeping", "status"),
            ("project=prj_x", "project"),
            ("priority=2", "priority"),
            ("created_at__gte=yesterday", "created_at__gte"),
            ("metadata[]=x", "metadata[]"),
            ("metadata[a' OR 1]=x", "metadata[a' OR 1]"),
            ("metadata[a=x", "metadata[a"),
            ("ordering=edit", "ordering"),
            ("limit=101", "limit"),
            ("cursor=junk", "cursor"),
            ("page=1", "page"),
            ("wait=3", "wait"),
        ],
    )
    def test_refuses_unknown_parameters_and_values(self, client, alice, query, parameter):
        make_render(alice)
        response = client.get(f"{RENDERS}?{query.replace(' ', '%20')}")
        assert (response.status_code, response.json()["code"]) == (400, "invalid_parameter")
        assert response.json()["parameter"] == parameter

    def test_orders_both_ways(self, client, alice):
        made = [make_render(alice).public_id for _ in range(3)]
        assert ids(client, "?ordering=created_at") == made
        assert ids(client, "?ordering=-created_at") == made[::-1]


def test_log(client, alice):
    render = make_render(alice, status="succeeded", log="all well", timings={"render": 1.5})
    answer = client.get(f"{RENDERS}/{render.public_id}/log").json()
    assert answer == {
        "render": render.public_id,
        "object": "render_log",
        "attempt": 1,
        "log": "all well",
        "timings": {"render": 1.5},
    }


@pytest.mark.parametrize("name", ["rnd_x", "prj_00000000000000000000000000", "rnd_ZZZZZZZZZZZZZZZZZZZZZZZZZZ", "%00"])
def test_a_malformed_id_answers_404(client, name):
    assert client.get(f"{RENDERS}/{name}").status_code == 404


def test_deferred_columns_are_read_on_access(django_assert_num_queries) -> None:
    render = make_render(make_user(), edit={"timeline": {}}, log="frame=1")
    with django_assert_num_queries(1):
        [found] = Render.objects.without_large_columns()
        assert (found, found.pk, found.status) == (render, render.pk, render.status)
    assert found.get_deferred_fields() == {"edit", "merge", "log", "timings"}
    with django_assert_num_queries(2):
        assert (found.edit, found.log) == ({"timeline": {}}, "frame=1")
    found.percent = 40
    found.save(update_fields=["percent"])
    assert Render.objects.get(pk=render.pk).percent == 40
