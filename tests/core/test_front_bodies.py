"""POSTs that the front door refuses: what Django would say, to the byte; the rest reaches Django whole."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import ApiKey
from core.front import served
from core.front.bodies import LARGEST_BYTES
from renders.models import Render
from tests.factories import make_edit

pytestmark = pytest.mark.django_db
RENDERS = "/api/v2/renders"

WRONG: dict[str, Any] = {
    "an edit that is none": {"edit": 1},
    "null": {"edit": None},
    "neither": {},
    "both": {"edit": {}, "template": "tpl_01jd3x0v9pe5r8d2k7m4w6t8ya"},
    "a stranger": {"edit": {}, "sprocket": 1},
    "an id of another kind": {"template": "prj_01jd3x0v9pe5r8d2k7m4w6t8ya"},
    "all wrong": {"edit": [], "merge": 1, "project": 2, "priority": "now", "run_at": "soon", "strict": "yes"},
    "a receiver inside": {"edit": {}, "webhook": {"url": "http://127.0.0.1/", "events": ["x"]}},
    "a key of metadata": {"edit": {}, "metadata": {"a b": 1, "ok": "x" * 501}},
    "no JSON text": {"edit": {"a": "\u0000"}},
    "too deep": {"edit": json.loads("[" * 80 + "]" * 80)},
}


def written(data: Any) -> bytes:
    return json.dumps(data).encode()


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("name", WRONG)
def test_wrong_bodies(world, name, version):
    body = written(WRONG[name])
    answer = world.both(f"/api/v{version}/renders", early=True, method="POST", body=body)
    assert answer.status.startswith("422")
    assert json.loads(answer.body)["errors"]
    assert "r=" in answer.headers["RateLimit"]


@pytest.mark.parametrize("key", [None, "junk", "ro_live_AAAAAAAA_" + "A" * 38])
def test_whoever_shows_no_good_credential(world, key):
    for body in (written({"edit": 1}), written({"edit": make_edit()}), b"no JSON"):
        answer = world.both(RENDERS, early=True, method="POST", body=body, X_API_KEY=key)
        assert answer.status.startswith("401")


LEFT: dict[str, tuple[bytes, dict[str, str | None], int]] = {
    "a key of idempotency": (written({"edit": 1}), {"IDEMPOTENCY_KEY": '"one-key-1"'}, 422),
    "a wrong one": (written({"edit": 1}), {"IDEMPOTENCY_KEY": "\xe9"}, 400),
    "a dry run": (written({"edit": {}, "dry_run": True, "sprocket": 1}), {}, 200),
    "no JSON": (b"{", {}, 400),
    "a member twice": (b'{"edit": 1, "edit": 2}', {}, 400),
    "a list": (b"[1]", {}, 422),
    "a large one": (written({"edit": 1, "merge": "x" * LARGEST_BYTES}), {}, 422),
    "wrong Accept": (written({"edit": 1}), {"ACCEPT": "text/csv"}, 406),
    "a version by Accept": (written({"edit": 1}), {"ACCEPT": "application/vnd.renderowl.v1+json"}, 400),
    "a cookie": (written({"edit": 1}), {"COOKIE": "sessionid=abc"}, 422),
    "an edit for the engine to judge": (written({"edit": {"timeline": {}}}), {}, 422),
}


@pytest.mark.parametrize("name", LEFT)
def test_the_rest_is_left_to_django(world, name):
    body, headers, status = LEFT[name]
    answers = []
    for app in (world.django, world.door):
        answers.append(world.call(app, RENDERS, "POST", body, **headers))
        ApiKey.objects.update(last_used_at=timezone.now())
    assert world.passed_on == 1
    assert [answer.status[:3] for answer in answers] == [str(status)] * 2


@pytest.mark.parametrize(
    ("extra", "status"),
    [
        ({"CONTENT_TYPE": "text/plain"}, 415),
        ({"CONTENT_TYPE": "application/json; charset=latin-1"}, 422),
        ({"CONTENT_LENGTH": "x"}, 413),
        ({"CONTENT_LENGTH": str(10**12)}, 413),
        ({"QUERY_STRING": "api_version=1"}, 400),
    ],
)
def test_unusual_requests_are_left_to_django(world, extra, status):
    world.extra = extra
    answer = world.both(RENDERS, early=False, method="POST", body=written({"edit": 1}))
    assert answer.status.startswith(str(status))


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_host_without_a_name_is_refused_by_django(world, method):
    world.extra = {"HTTP_HOST": ""}
    body = written({"edit": 1}) if method == "POST" else b""
    assert world.both(RENDERS, early=False, method=method, body=body).status.startswith("400")


def test_a_body_that_cannot_be_read_is_left_to_django(world):
    class Broken:
        def read(self, size: int = -1) -> bytes:
            raise OSError("the client is gone")

        readline = read

    world.extra = {"wsgi.input": Broken()}
    answers = [world.call(app, RENDERS, "POST", written({"edit": 1})) for app in (world.django, world.door)]
    assert [answer.status for answer in answers] == [answers[0].status] * 2
    assert world.passed_on == 1


def test_a_good_body_reaches_django_whole(world):
    before = Render.objects.count()
    answer = world.call(world.door, RENDERS, "POST", written({"edit": make_edit(), "metadata": {"order": "7"}}))
    assert answer.status.startswith("202")
    assert world.passed_on == 1
    assert Render.objects.count() == before + 1
    assert json.loads(answer.body)["metadata"] == {"order": "7"}


def test_other_posts_are_not_looked_at(world):
    for path in ("/api/v2/projects", f"{RENDERS}/validate", "/api/v2/nothing"):
        world.both(path, early=False, method="POST", body=written({"edit": 1}))


def test_limits_of_operations_are_charged_and_refused_by_django(world):
    body = written({"edit": 1})
    codes = [world.call(world.door, RENDERS, "POST", body).status[:3] for _ in range(40)]
    allowed = codes.index("429")
    assert set(codes[:allowed]) == {"422"}
    assert set(codes[allowed:]) == {"429"}
    assert world.passed_on == len(codes) - allowed


def test_scopes_and_ends_of_keys_hold_at_once(world):
    body = written({"edit": 1})
    assert world.both(RENDERS, early=True, method="POST", body=body).status.startswith("422")
    ApiKey.objects.update(scopes=["renders:read"])
    assert world.both(RENDERS, early=False, method="POST", body=body).status.startswith("403")
    ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert world.both(RENDERS, early=True, method="POST", body=body).status.startswith("401")


def test_the_monitor_hears_of_it(world, monkeypatch):
    heard: list[served.Served] = []
    monkeypatch.setattr("core.front.door.observers", [heard.append])
    world.call(world.door, RENDERS, "POST", written({"edit": 1}))
    assert [(seen.method, seen.route, seen.status) for seen in heard] == [("POST", "/api/v2/renders", 422)]
