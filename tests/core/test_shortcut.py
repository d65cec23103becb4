"""The short way to kept answers says what the long way says, to the byte, or leaves it to the long way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.test import Client
from django.utils import timezone

from accounts import call_counter, services
from accounts.authentication import ApiKeyAuthentication
from accounts.call_counter import CallCounter
from accounts.models import ApiKey, User
from core import middleware
from core.api import shortcut
from core.api.lifecycle import VersionSunset
from core.api.marks import parse_marks
from core.api.reads import is_usual
from core.api.throttling import RateLimitedView
from core.api.views import ApiViewSet
from core.caching.answers import answer_cache
from core.ratelimit.limiter import limiter
from core.ratelimit.sqlite_store import SqliteStore
from monitoring.performance.routes import route_of
from renders.models import Project
from renders.views.renders import RenderViewSet
from tests.factories import make_api_key, make_minted_key, make_project, make_render, make_user

pytestmark = pytest.mark.django_db
RENDERS = "/api/v2/renders"
PASSING = {"Date", "X-Request-Id", "Server-Timing"}
NOON_US = 1_800_000_000_000_000


@dataclass
class World:
    """An account with rows, and its key; the clock of the limits stands still."""

    alice: User
    key: str
    row: ApiKey
    headers: dict[str, str] = field(default_factory=dict)

    def call(self, path: str, method: str = "get", **headers: str) -> Any:
        """Ask as a server passes it on; a header of None is left out."""
        sent = {"X-API-Key": self.key, **self.headers, **headers}
        sent = {name: value for name, value in sent.items() if value is not None}
        return getattr(Client(raise_request_exception=False), method)(path, headers=sent)


@pytest.fixture
def world(settings, tmp_path: Path, monkeypatch) -> World:
    settings.RENDEROWL_ANSWER_CACHE = settings.RENDEROWL_RATE_LIMITS = True
    settings.RENDEROWL_CACHE_URL = f"sqlite:///{tmp_path}/cache.sqlite3"
    monkeypatch.setattr(store(), "_clock_us", lambda: NOON_US)
    alice = make_user("alice")
    minted = make_minted_key(alice)
    project = make_project(alice)
    for number in range(3):
        make_render(alice, project=project, metadata={"number": str(number)}, poster_key="renders/a/poster.jpg")
    services.note_key_use(key=minted.key)
    return World(alice, minted.plaintext, minted.key)


def store() -> SqliteStore:
    limits = limiter()
    assert limits is not None
    assert isinstance(limits._store, SqliteStore)
    return limits._store


def forget_what_was_counted() -> None:
    with store()._file as connection:
        connection.execute("DELETE FROM bucket")


def seen_of(answer) -> tuple[int, dict[str, str], bytes, str]:
    headers = {name: value for name, value in answer.headers.items() if name not in PASSING}
    body = answer.content
    if answer.status_code >= 400:
        # Its `instance` is the id of the request.
        body = b"".join(part for part in body.split(b",") if b"urn:uuid:" not in part)
    return answer.status_code, headers, body, route_of(answer.wsgi_request)


def both_ways(world: World, monkeypatch, path: str, method: str = "get", prepare=lambda: None, **headers) -> bool:
    """Ask the long way and the short one, compare, and return whether the short way was taken."""
    found = []
    for is_short in (False, True):
        forget_what_was_counted()
        prepare()
        taken: list[bool] = []

        def early(request, is_short=is_short, taken=taken):
            response = shortcut.answer_early(request) if is_short else None
            taken.append(response is not None)
            return response

        with monkeypatch.context() as patched:
            patched.setattr(middleware, "answer_early", early)
            answer = world.call(path, method, **headers)
        found.append((seen_of(answer), counted()))
    assert found[1] == found[0]
    return bool(taken and taken[0])


def counted() -> list[tuple[str, int]]:
    with store()._file as connection:
        return connection.execute("SELECT id, full_at FROM bucket ORDER BY id").fetchall()


# --- The short way ----------------------------------------------------------------------------------------------------

SHORT = {
    "plain": (RENDERS, {}),
    "version 1": ("/api/v1/renders", {}),
    "a page": (f"{RENDERS}?limit=2", {}),
    "a filter": (f"{RENDERS}?metadata[number]=1&limit=5", {}),
    "another order of the query": (f"{RENDERS}?ordering=created_at&limit=5", {}),
    "projects": ("/api/v2/projects", {}),
    "credits": ("/api/v2/credits/balance", {}),
    "a trailing slash": (f"{RENDERS}/", {}),
    "the version by header": ("/api/renders", {"API-Version": "2"}),
    "the version by Accept": ("/api/renders", {"Accept": "application/vnd.renderowl.v2+json"}),
    "the version by parameter": ("/api/renders?api_version=2", {}),
    "the default version": ("/api/renders", {}),
    "Accept of a browser": (RENDERS, {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}),
    "Accept with a parameter": (RENDERS, {"Accept": "application/json; indent=4"}),
    "a Bearer": (RENDERS, {"X-API-Key": None, "Authorization": "Bearer {key}"}),
    "both headers": (RENDERS, {"Authorization": "Bearer {key}"}),
    "another tag": (RENDERS, {"If-None-Match": 'W/"AAAA"'}),
    "an id of its own": (RENDERS, {"X-Request-Id": "mine-12345678"}),
    "an Origin": (RENDERS, {"Origin": "https://elsewhere.example"}),
}


@pytest.mark.parametrize("name", SHORT)
def test_a_kept_answer_and_a_304_are_those_of_the_long_way(world, monkeypatch, name):
    path, headers = SHORT[name]
    headers = {key: value and value.format(key=world.key) for key, value in headers.items()}
    first = world.call(path, **headers)
    assert first.status_code == 200, first.content
    assert both_ways(world, monkeypatch, path, **headers)
    kept = world.call(path, **headers)
    assert (kept["X-Cache"], kept.content) == ("HIT", first.content)
    headers["If-None-Match"] = f'"other", {first["ETag"]}'
    assert both_ways(world, monkeypatch, path, **headers)
    same = world.call(path, **headers)
    assert (same.status_code, same["X-Cache"], same.content) == (304, "REVALIDATED", b"")


def test_every_kept_list_has_a_short_way():
    places = shortcut._places(configured.ROOT_URLCONF, tuple(configured.RENDEROWL_ANSWER_RULES))
    lists = ("renders", "projects", "templates", "assets", "credits/balance", "credits/entries")
    assert set(places) == {f"/api/v{version}/{path}" for version in (1, 2) for path in lists}


# --- The long way -----------------------------------------------------------------------------------------------------


def revoked(world: World) -> None:
    services.revoke_api_key(key=world.row)


def expired(world: World) -> None:
    ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))


def elsewhere(world: World) -> None:
    ApiKey.objects.update(allowed_networks=["203.0.113.0/24"])


def suspended(world: World) -> None:
    services.suspend_user(user=world.alice)


def closed(world: World) -> None:
    User.objects.update(is_active=False)


def narrowed(world: World) -> None:
    ApiKey.objects.update(scopes=["assets:read"])


def gone(world: World) -> None:
    ApiKey.objects.all().delete()


CHANGES: dict[str, tuple[Callable[[World], None], int, str]] = {
    "revoked": (revoked, 401, "token_revoked"),
    "expired": (expired, 401, "token_expired"),
    "wrong network": (elsewhere, 401, "unauthenticated"),
    "suspended": (suspended, 403, "account_suspended"),
    "closed": (closed, 401, "unauthenticated"),
    "narrowed": (narrowed, 403, "missing_scope"),
    "gone": (gone, 401, "unauthenticated"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_who_is_no_longer_let_in_gets_nothing_kept(world, monkeypatch, name):
    change, status, code = CHANGES[name]
    tag = world.call(RENDERS)["ETag"]
    assert both_ways(world, monkeypatch, RENDERS)
    change(world)
    for headers in ({}, {"If-None-Match": tag}):
        assert not both_ways(world, monkeypatch, RENDERS, **headers)
        answer = world.call(RENDERS, **headers)
        assert (answer.status_code, answer.json()["code"]) == (status, code)


LONG = {
    "a cookie": ("get", RENDERS, {"Cookie": "sessionid=abc"}, 200),
    "HEAD": ("head", RENDERS, {}, 200),
    "OPTIONS": ("options", RENDERS, {}, 200),
    "POST": ("post", RENDERS, {}, 415),
    "PUT": ("put", RENDERS, {}, 405),
    "no credential": ("get", RENDERS, {"X-API-Key": None}, 401),
    "junk": ("get", RENDERS, {"X-API-Key": "junk"}, 401),
    "unknown": ("get", RENDERS, {"X-API-Key": "ro_live_AAAAAAAA_" + "A" * 38}, 401),
    "two that differ": ("get", RENDERS, {"Authorization": "Bearer ro_live_x"}, 401),
    "wrong Accept": ("get", RENDERS, {"Accept": "text/csv"}, 406),
    "wrong version": ("get", RENDERS, {"API-Version": "9"}, 400),
    "versions that differ": ("get", RENDERS, {"API-Version": "1"}, 400),
    "wrong Host": ("get", RENDERS, {"Host": "elsewhere.example"}, 400),
    "unknown parameter": ("get", f"{RENDERS}?nonsense=1", {}, 400),
    "unknown parameter, any tag": ("get", f"{RENDERS}?nonsense=1", {"If-None-Match": "*"}, 400),
    "any tag": ("get", RENDERS, {"If-None-Match": "*"}, 304),
    "a parameter of a feature": ("get", f"{RENDERS}?batch=bat_{'0' * 26}", {}, 200),
    "such a one in version 1": ("get", f"/api/v1/renders?batch=bat_{'0' * 26}", {}, 404),
    "no such path": ("get", "/api/v2/nothing", {}, 404),
    "one row": ("get", f"{RENDERS}/rnd_{'0' * 26}", {}, 404),
}


@pytest.mark.parametrize("name", LONG)
def test_the_rest_goes_the_long_way(world, monkeypatch, name):
    method, path, headers, status = LONG[name]
    first = world.call(path, method, **headers)
    assert first.status_code == status, first.content
    assert not both_ways(world, monkeypatch, path, method, **headers)


def test_what_is_not_kept_or_no_longer_true_is_made_anew(world, monkeypatch):
    world.call(RENDERS)
    make_render(world.alice)
    seen = []
    for early in (lambda request: None, shortcut.answer_early):
        monkeypatch.setattr(middleware, "answer_early", early)
        Project.objects.update(name="changed")
        make_render(world.alice)
        answers = [world.call(RENDERS), world.call(RENDERS)]
        seen.append([answer["X-Cache"] for answer in answers])
        assert len(answers[1].json()["data"]) == 3 + 1 + len(seen)
    assert seen == [["MISS", "HIT"]] * 2


def test_nobody_gets_another_account_s_answer(world, monkeypatch):
    tag = world.call(RENDERS)["ETag"]
    alice = world.call(RENDERS)
    world.key = make_api_key(make_user("bob"))
    first = world.call(RENDERS, **{"If-None-Match": tag})
    assert (first.status_code, first["X-Cache"], first.json()["data"]) == (200, "MISS", [])
    assert both_ways(world, monkeypatch, RENDERS, **{"If-None-Match": tag})
    second = world.call(RENDERS)
    assert (second["X-Cache"], second.content) == ("HIT", first.content)
    assert second["ETag"] != alice["ETag"]
    assert not both_ways(world, monkeypatch, RENDERS, **{"X-API-Key": None})


# --- Limits, endings, failures ----------------------------------------------------------------------------------------


def test_the_short_way_counts_once_and_refuses_as_the_long_one(world, monkeypatch):
    world.call(RENDERS)
    forget_what_was_counted()
    left = [world.call(RENDERS) for _ in range(31)]
    assert [answer.status_code for answer in left] == [200] * 30 + [429]
    assert [answer["RateLimit"].split(";")[1] for answer in left] == [f"r={n}" for n in (*range(29, -1, -1), 0)]
    assert left[-1]["Retry-After"]

    def use_up() -> None:
        for _ in range(30):
            world.call("/api/v2/projects")

    assert not both_ways(world, monkeypatch, RENDERS, prepare=use_up)


def test_keys_of_workers_have_their_own_limits(world, monkeypatch):
    world.key = make_api_key(make_user("staff", is_staff=True), type="worker")
    if world.call(RENDERS).status_code == 200:
        assert both_ways(world, monkeypatch, RENDERS)
    else:
        assert not both_ways(world, monkeypatch, RENDERS)


@pytest.mark.parametrize("name", ["RENDEROWL_RATE_LIMITS", "RENDEROWL_ANSWER_CACHE"])
def test_what_is_switched_off_is_so_on_both_ways(world, monkeypatch, settings, name):
    world.call(RENDERS)
    early = shortcut.answer_early
    setattr(settings, name, False)
    seen = []
    for way in (lambda request: None, early):
        monkeypatch.setattr(middleware, "answer_early", way)
        if limiter():
            forget_what_was_counted()
        seen.append(seen_of(world.call(RENDERS)))
    assert seen[0] == seen[1]
    assert seen[1][1]["X-Cache"] == ("HIT" if name == "RENDEROWL_RATE_LIMITS" else "BYPASS")


def test_a_deprecated_version_is_announced_and_counted(world, monkeypatch, settings):
    settings.RENDEROWL_API_MARKS = parse_marks("v1=2025-01-01/2099-12-31, v2:render-list=2025-01-01")
    counter = CallCounter(lambda tallies: None)
    monkeypatch.setattr(call_counter, "counter", counter)
    for path, headers in (("/api/v1/renders", 3), (RENDERS, 1)):
        answer = world.call(path)
        assert answer["Deprecation"]
        assert both_ways(world, monkeypatch, path)
        kept = world.call(path)
        assert kept["X-Cache"] == "HIT"
        assert len(kept["Link"].split(", ")) == headers
    assert [count.calls for count in counter._counts.values()] == [4, 4]
    settings.RENDEROWL_API_MARKS = parse_marks("v2:render-list=2025-01-01/2025-12-31")
    assert not both_ways(world, monkeypatch, RENDERS)
    assert world.call(RENDERS).status_code == VersionSunset.status


def test_a_pinned_key_gets_its_version(world, monkeypatch):
    ApiKey.objects.update(pinned_version=2)
    assert world.call("/api/renders")["API-Version"] == "2"
    assert both_ways(world, monkeypatch, "/api/renders")


def test_the_client_may_be_allowed_to_keep_it_itself(world, monkeypatch, settings):
    rules = dict(settings.RENDEROWL_ANSWER_RULES)
    settings.RENDEROWL_ANSWER_RULES = {**rules, "render-list": rules["render-list"]._replace(max_age_s=7)}
    assert world.call(RENDERS)["Cache-Control"] == "private, max-age=7"
    assert both_ways(world, monkeypatch, RENDERS)


def test_a_broken_store_of_answers_is_done_without(world, monkeypatch):
    world.call(RENDERS)
    cache = answer_cache()
    assert cache is not None
    monkeypatch.setattr(cache, "_rest_until", float("inf"))
    assert not both_ways(world, monkeypatch, RENDERS)
    assert world.call(RENDERS)["X-Cache"] == "BYPASS"


def test_from_another_origin(world, monkeypatch, settings):
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example.com"]
    settings.MIDDLEWARE = [*settings.MIDDLEWARE[:2], settings.CORS_MIDDLEWARE, *settings.MIDDLEWARE[2:]]
    world.headers = {"Origin": "https://app.example.com"}
    assert world.call(RENDERS)["Access-Control-Allow-Origin"] == "https://app.example.com"
    assert both_ways(world, monkeypatch, RENDERS)


def test_a_short_answer_asks_the_database_once(world, django_assert_num_queries):
    world.call(RENDERS)
    with django_assert_num_queries(1):
        assert world.call(RENDERS)["X-Cache"] == "HIT"


def test_a_view_that_goes_its_own_way_has_no_short_one():
    assert is_usual(RenderViewSet)
    assert issubclass(RenderViewSet, ApiViewSet)
    own = [
        {"check_throttles": RateLimitedView.check_throttles, "initial": lambda self, request: None},
        {"permission_classes": []},
        {"authentication_classes": [ApiKeyAuthentication, ApiKeyAuthentication][:0]},
        {"look_up": lambda self, request: None},
    ]
    for members in own:
        assert not is_usual(type("Own", (RenderViewSet,), members))
