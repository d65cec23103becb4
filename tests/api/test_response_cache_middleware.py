"""Response cache middleware: it returns the view's response, to clients that the view would admit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts import deprecated_calls, services
from accounts.deprecated_calls import DeprecatedCallCounter
from accounts.models import ApiKey, User
from api.deprecations import parse_deprecations
from api.lifecycle import VersionSunset
from api.ratelimit.limiter import limiter
from api.ratelimit.sqlite_store import SqliteLimitStore
from api.response_cache.cache import response_cache
from api.views import ApiView
from renderowl.urls import API_ROUTES
from tests.factories import make_api_key, make_minted_key, make_project, make_render, make_user

pytestmark = pytest.mark.django_db
RENDERS = "/api/v2/renders"
# Headers that differ in every response; the remaining units of a limit decrease each time.
OWN_HEADERS = {"Date", "X-Request-Id", "Server-Timing", "X-Cache", "RateLimit"}
NOON_US = 1_800_000_000_000_000


@dataclass
class World:
    """An account with rows, and its key; the clock of the rate limits is frozen."""

    alice: User
    key: str
    row: ApiKey
    headers: dict[str, str] = field(default_factory=dict)

    def call(self, path: str, method: str = "get", **headers: str | None) -> Any:
        """Send a request; headers that are None are omitted, {key} stands for the key."""
        given = {"X-API-Key": self.key, **self.headers, **headers}
        sent = {name: value.format(key=self.key) for name, value in given.items() if value is not None}
        return getattr(Client(raise_request_exception=False), method)(path, headers=sent)


@pytest.fixture
def world(settings, tmp_path: Path, monkeypatch) -> World:
    settings.RENDEROWL_RESPONSE_CACHE = settings.RENDEROWL_RATE_LIMITS = True
    settings.RENDEROWL_CACHE_URL = f"sqlite:///{tmp_path}/cache.sqlite3"
    limits = limiter()
    assert limits is not None
    assert isinstance(limits._store, SqliteLimitStore)
    monkeypatch.setattr(limits._store, "_clock_us", lambda: NOON_US)
    alice = make_user("alice")
    minted = make_minted_key(alice)
    project = make_project(alice)
    for number in range(3):
        make_render(alice, project=project, metadata={"number": str(number)}, poster_key="renders/a/poster.jpg")
    services.record_key_use(key=minted.key)
    return World(alice, minted.plaintext, minted.key)


def shared(answer: Any) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in OWN_HEADERS}


CACHEABLE = {
    "plain": (RENDERS, {}),
    "version 1": ("/api/v1/renders", {}),
    "a page": (f"{RENDERS}?limit=2", {}),
    "a filter": (f"{RENDERS}?metadata[number]=1&limit=5", {}),
    "a parameter of a feature": (f"{RENDERS}?batch=bat_{'0' * 26}", {}),
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


@pytest.mark.parametrize("name", CACHEABLE)
def test_a_hit_and_a_304_equal_the_response_of_the_view(world, name):
    path, headers = CACHEABLE[name]
    miss, hit = world.call(path, **headers), world.call(path, **headers)
    assert (miss.status_code, miss["X-Cache"]) == (200, "MISS")
    assert (hit.status_code, hit["X-Cache"], hit.content, shared(hit)) == (200, "HIT", miss.content, shared(miss))
    same = world.call(path, **{**headers, "If-None-Match": f'"other", {miss["ETag"]}'})
    assert (same.status_code, same["X-Cache"], same.content) == (304, "REVALIDATED", b"")
    for header in ("ETag", "Cache-Control", "Vary", "API-Version", "RateLimit-Policy"):
        assert same[header] == miss[header], header
    left = [answer["RateLimit"].split(";")[1] for answer in (miss, hit, same)]
    assert left == ["r=29", "r=28", "r=27"]


def test_a_response_that_deletes_a_cookie_is_not_cached(world):
    cookie = {"Cookie": "sessionid=abc"}
    assert [world.call(RENDERS, **cookie)["X-Cache"] for _ in range(2)] == ["MISS", "MISS"]
    world.call(RENDERS)
    assert world.call(RENDERS, **cookie)["X-Cache"] == "HIT"


def test_cacheable_views_require_a_credential_and_a_scope(settings):
    for route in API_ROUTES:
        if route.name in settings.RENDEROWL_RESPONSE_CACHE_RULES:
            assert route.view.permission_classes == ApiView.permission_classes
            assert route.view.authentication_classes == ApiView.authentication_classes


def test_a_hit_needs_one_query(world, django_assert_num_queries):
    world.call(RENDERS)
    with django_assert_num_queries(1):
        assert world.call(RENDERS)["X-Cache"] == "HIT"


# --- Left to the view -------------------------------------------------------------------------------------------------


def revoke(world: World) -> None:
    services.revoke_api_key(key=world.row)


def suspend(world: World) -> None:
    services.suspend_user(user=world.alice)


REFUSALS: dict[str, tuple[Callable[[World], Any], int, str]] = {
    "revoked": (revoke, 401, "token_revoked"),
    "expired": (
        lambda world: ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1)),
        401,
        "token_expired",
    ),
    "wrong network": (
        lambda world: ApiKey.objects.update(allowed_networks=["203.0.113.0/24"]),
        401,
        "unauthenticated",
    ),
    "suspended": (suspend, 403, "account_suspended"),
    "closed": (lambda world: User.objects.update(is_active=False), 401, "unauthenticated"),
    "narrowed": (lambda world: ApiKey.objects.update(scopes=["assets:read"]), 403, "missing_scope"),
    "gone": (lambda world: ApiKey.objects.all().delete(), 401, "unauthenticated"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_an_invalidated_credential_gets_no_cached_response(world, name):
    change, status, code = REFUSALS[name]
    tag = world.call(RENDERS)["ETag"]
    assert world.call(RENDERS)["X-Cache"] == "HIT"
    change(world)
    for headers in ({}, {"If-None-Match": tag}):
        answer = world.call(RENDERS, **headers)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer["Cache-Control"] == "no-store"


OTHERS = {
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
    "a feature of another version": ("get", f"/api/v1/renders?batch=bat_{'0' * 26}", {}, 404),
    "no such path": ("get", "/api/v2/nothing", {}, 404),
    "one row": ("get", f"{RENDERS}/rnd_{'0' * 26}", {}, 404),
}


@pytest.mark.parametrize("name", OTHERS)
def test_uncacheable_requests_reach_the_view(world, name):
    method, path, headers, status = OTHERS[name]
    world.call(RENDERS)
    for _ in range(2):
        answer = world.call(path, method, **headers)
        assert answer.status_code == status, answer.content
        assert answer.headers.get("X-Cache") != "HIT"


def test_cached_responses_of_a_disabled_feature_are_not_served(world, settings):
    path = f"{RENDERS}?batch=bat_{'0' * 26}"
    first = world.call(path)
    assert world.call(path)["X-Cache"] == "HIT"
    settings.RENDEROWL_API_FEATURES = {(2, "batches"): False}
    for headers in ({}, {"If-None-Match": first["ETag"]}):
        assert world.call(path, **headers).status_code == 404


def test_another_account_never_gets_the_cached_response(world):
    alice = world.call(RENDERS)
    world.key = make_api_key(make_user("bob"))
    first = world.call(RENDERS, **{"If-None-Match": alice["ETag"]})
    assert (first.status_code, first["X-Cache"], first.json()["data"]) == (200, "MISS", [])
    second = world.call(RENDERS)
    assert (second["X-Cache"], second.content) == ("HIT", first.content)
    assert second["ETag"] != alice["ETag"]


# --- Limits, sunset, failures -----------------------------------------------------------------------------------------


def test_hits_are_charged_and_refused_like_any_request(world):
    answers = [world.call(RENDERS) for _ in range(31)]
    assert [answer.status_code for answer in answers] == [200] * 30 + [429]
    assert [answer["RateLimit"].split(";")[1] for answer in answers] == [f"r={n}" for n in (*range(29, -1, -1), 0)]
    assert answers[-1]["Retry-After"]


def test_hits_without_limits_show_none(world, settings):
    settings.RENDEROWL_RATE_LIMITS = False
    answers = [world.call(RENDERS) for _ in range(2)]
    assert [answer["X-Cache"] for answer in answers] == ["MISS", "HIT"]
    assert not any("RateLimit" in answer for answer in answers)


def test_a_deprecated_version_is_announced_and_counted(world, monkeypatch, settings):
    settings.RENDEROWL_API_DEPRECATIONS = parse_deprecations("v1=2025-01-01/2099-12-31, v2:render-list=2025-01-01")
    counter = DeprecatedCallCounter(lambda call_counts: None)
    monkeypatch.setattr(deprecated_calls, "counter", counter)
    for path, links in (("/api/v1/renders", 3), (RENDERS, 1)):
        answers = [world.call(path) for _ in range(2)]
        assert [answer["X-Cache"] for answer in answers] == ["MISS", "HIT"]
        assert all(answer["Deprecation"] for answer in answers)
        assert [len(answer["Link"].split(", ")) for answer in answers] == [links, links]
    assert [count.calls for count in counter._counts.values()] == [2, 2]
    settings.RENDEROWL_API_DEPRECATIONS = parse_deprecations("v2:render-list=2025-01-01/2025-12-31")
    assert world.call(RENDERS).status_code == VersionSunset.status


def test_a_pinned_key_gets_its_version(world):
    ApiKey.objects.update(pinned_version=2)
    answers = [world.call("/api/renders") for _ in range(2)]
    assert [(answer["API-Version"], answer["X-Cache"]) for answer in answers] == [("2", "MISS"), ("2", "HIT")]


def test_the_store_is_bypassed_while_the_circuit_is_open(world, monkeypatch):
    world.call(RENDERS)
    monkeypatch.setattr(response_cache(), "_circuit_open_until", float("inf"))
    assert world.call(RENDERS)["X-Cache"] == "BYPASS"


def test_an_allowed_origin_gets_its_headers_from_the_cache_too(world, settings):
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example.com"]
    settings.MIDDLEWARE = [*settings.MIDDLEWARE[:2], settings.CORS_MIDDLEWARE, *settings.MIDDLEWARE[2:]]
    world.headers = {"Origin": "https://app.example.com"}
    answers = [world.call(RENDERS) for _ in range(2)]
    assert [answer["X-Cache"] for answer in answers] == ["MISS", "HIT"]
    assert {answer["Access-Control-Allow-Origin"] for answer in answers} == {"https://app.example.com"}
