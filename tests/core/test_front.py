"""The front door says what Django says, to the byte, or leaves it to Django."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as configured
from django.core.handlers.wsgi import WSGIHandler
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import services
from accounts.keys import compose_key
from accounts.models import ApiKey, User
from core.api.marks import parse_marks
from core.api.prepared import PreparedList
from core.caching.answers import AnswerCache, answer_cache
from core.front import served
from core.front.door import KNOWN_MIDDLEWARE, FrontDoor
from core.front.table import Table
from monitoring.performance.monitor import monitor
from renders.models import Render
from tests.core.front_kit import World, comparable, counted, forget_what_was_counted
from tests.factories import make_api_key, make_asset, make_render, make_user

pytestmark = pytest.mark.django_db
RENDERS = "/api/v2/renders"
LABELLED = f"{RENDERS}?metadata[a]=b"
NOBODY = f"{RENDERS}/rnd_{'0' * 26}"

# --- What the door answers --------------------------------------------------------------------------------------------

KEPT: dict[str, tuple[str, dict[str, str | None]]] = {
    "plain": (RENDERS, {}),
    "version 1": ("/api/v1/renders", {}),
    "a page": (f"{RENDERS}?limit=2", {}),
    "a filter": (f"{RENDERS}?status=succeeded&limit=2", {}),
    "an encoded query": (f"{RENDERS}?metadata%5Bnumber%5D=1", {}),
    "projects": ("/api/v2/projects", {}),
    "credits": ("/api/v2/credits/balance", {}),
    "Accept of a browser": (RENDERS, {"ACCEPT": "text/html,application/xhtml+xml,*/*;q=0.8"}),
    "a Bearer": (RENDERS, {"X_API_KEY": None, "AUTHORIZATION": "Bearer {key}"}),
    "both headers": (RENDERS, {"AUTHORIZATION": "Bearer {key}"}),
    "another tag": (RENDERS, {"IF_NONE_MATCH": 'W/"AAAA"'}),
    "an id of its own": (RENDERS, {"X_REQUEST_ID": "mine-12345678"}),
}


@pytest.mark.parametrize("name", KEPT)
def test_kept_answers_and_304s(world, name):
    path, headers = KEPT[name]
    headers = {key: value and value.format(key=world.key) for key, value in headers.items()}
    first = world.call(world.django, path, **headers)
    assert (first.status, first.headers["X-Cache"]) == ("200 OK", "MISS")
    kept = world.both(path, early=True, **headers)
    assert (kept.headers["X-Cache"], kept.body) == ("HIT", first.body)
    headers["IF_NONE_MATCH"] = f'"other", {first.headers["ETag"]}'
    same = world.both(path, early=True, **headers)
    assert (same.status, same.headers["X-Cache"], same.body) == ("304 Not Modified", "REVALIDATED", b"")
    assert same.headers["ETag"] == first.headers["ETag"]


MADE = [
    ("/api/v2/renders", {}),
    ("/api/v1/renders?per_page=2&page=2", {"ACCEPT": "application/json; indent=2"}),
    ("/api/v2/renders?status=succeeded&limit=1&ordering=created_at", {"IF_NONE_MATCH": 'W/"AAAA"'}),
    ("/api/v2/assets?kind=video", {"X_API_KEY": None, "AUTHORIZATION": "Bearer {key}"}),
    ("/api/v2/credits/entries", {"HOST": "127.0.0.1"}),
]


def test_lists_whose_sql_is_written_are_made_at_the_door(world, settings):
    make_asset(world.alice)
    for path, headers in MADE:
        sent = {name: value and value.format(key=world.key) for name, value in headers.items()}
        answers = []
        for app in (world.django, world.door):
            answer_cache().clear()
            forget_what_was_counted()
            answers.append((comparable(world.call(app, path, **sent)), counted()))
        assert answers[0] == answers[1]
        assert answers[1][0][1]["X-Cache"] == "MISS"
        assert world.both(path, early=True, **sent).headers["X-Cache"] == "HIT"
        settings.RENDEROWL_ANSWER_CACHE = False
        assert world.both(path, early=True, **sent).headers["X-Cache"] == "BYPASS"
        settings.RENDEROWL_ANSWER_CACHE = True
    assert world.passed_on == 0
    link = world.call(world.door, f"{RENDERS}?limit=2").headers["Link"]
    following = world.call(world.door, link.partition(">")[0].removeprefix("<"))
    assert (len(json.loads(following.body)["data"]), world.passed_on) == (1, 0)


def test_a_list_that_somebody_makes_is_waited_for_by_django(world, monkeypatch):
    monkeypatch.setattr(AnswerCache, "begin", lambda cache, key: False)
    assert world.call(world.door, RENDERS).status == "200 OK"
    assert world.passed_on == 1


@pytest.mark.parametrize("error", [OperationalError("database is locked"), KeyError("a row from elsewhere")])
def test_a_list_that_cannot_be_made_is_left_to_django(world, monkeypatch, error):
    failed, read = [], PreparedList.read

    def fail_once(listed: PreparedList, *args: Any) -> Any:
        if not failed:
            failed.append(True)
            raise error
        return read(listed, *args)

    monkeypatch.setattr(PreparedList, "read", fail_once)
    answer = world.call(world.door, RENDERS)
    assert (answer.status, answer.headers["X-Cache"], world.passed_on) == ("200 OK", "MISS", 1)
    assert failed


REFUSED: dict[str, tuple[str, dict[str, str | None]]] = {
    "no credential": (RENDERS, {"X_API_KEY": None}),
    "junk": (RENDERS, {"X_API_KEY": "junk"}),
    "empty": (RENDERS, {"X_API_KEY": ""}),
    "junk that begins well": (RENDERS, {"X_API_KEY": "ro_live_AAAAAAAA_" + "A" * 38}),
    "nobody's": (RENDERS, {"X_API_KEY": compose_key("ro_live").text}),
    "nobody's Bearer": (RENDERS, {"X_API_KEY": None, "AUTHORIZATION": f"Bearer {compose_key('ro_live').text}"}),
    "two that differ": (RENDERS, {"AUTHORIZATION": "Bearer ro_live_x"}),
    "one row": (NOBODY, {"X_API_KEY": None}),
    "a path without GET": ("/api/v2/renders/validate", {"X_API_KEY": None}),
    "version 1": ("/api/v1/me", {"X_API_KEY": None}),
    "an id of its own": (RENDERS, {"X_API_KEY": None, "X_REQUEST_ID": "mine-12345678"}),
    "any tag": (RENDERS, {"X_API_KEY": None, "IF_NONE_MATCH": "*"}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_of_whoever_shows_no_good_credential(world, name):
    path, headers = REFUSED[name]
    answer = world.both(path, early=True, **headers)
    assert answer.status == "401 Unauthorized"
    assert answer.headers["RateLimit-Policy"] == '"address";q=30;w=60'
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="renderowl"')


def revoked(world: World) -> None:
    services.revoke_api_key(key=world.row)


def expired(world: World) -> None:
    ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))


def elsewhere(world: World) -> None:
    ApiKey.objects.update(allowed_networks=["203.0.113.0/24"])


def closed(world: World) -> None:
    User.objects.update(is_active=False)


def gone(world: World) -> None:
    ApiKey.objects.all().delete()


def replaced(world: World) -> None:
    ApiKey.objects.update(digest="0" * 64)


def suspended(world: World) -> None:
    services.suspend_user(user=world.alice)


def narrowed(world: World) -> None:
    ApiKey.objects.update(scopes=["assets:read"])


CHANGES = {
    revoked: (True, "401 Unauthorized", b"token_revoked"),
    expired: (True, "401 Unauthorized", b"token_expired"),
    elsewhere: (True, "401 Unauthorized", b"unauthenticated"),
    closed: (True, "401 Unauthorized", b"unauthenticated"),
    gone: (True, "401 Unauthorized", b"unauthenticated"),
    replaced: (True, "401 Unauthorized", b"unauthenticated"),
    suspended: (False, "403 Forbidden", b"account_suspended"),
    narrowed: (False, "403 Forbidden", b"missing_scope"),
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_who_is_no_longer_let_in_gets_nothing_at_once(world, change):
    early, status, code = CHANGES[change]
    tag = world.call(world.door, RENDERS).headers["ETag"]
    row = f"{RENDERS}/{world.render.public_id}"
    row_tag = world.call(world.door, row).headers["ETag"]
    world.both(RENDERS, early=True)
    change(world)
    for path, headers in ((RENDERS, {}), (RENDERS, {"IF_NONE_MATCH": tag}), (row, {"IF_NONE_MATCH": row_tag})):
        answer = world.both(path, early=early, **headers)
        assert answer.status == status
        assert code in answer.body


@pytest.mark.parametrize("version", [1, 2])
def test_rows_that_are_not_there_or_somebody_elses(world, version):
    bob = make_render(make_user("bob"), status="succeeded")
    path = f"/api/v{version}/renders"
    for name in (f"rnd_{'0' * 26}", bob.public_id, "rnd_x", f"usr_{'0' * 26}", "validat"):
        answer = world.both(f"{path}/{name}", early=True)
        assert answer.status == "404 Not Found"
        assert b"No such object." in answer.body
    # Even with a tag of what is there.
    theirs = FrontDoor(world.django)
    world.key = make_api_key(bob.owner)
    tag = world.call(theirs, f"{path}/{bob.public_id}").headers["ETag"]
    world.key = make_api_key(world.alice)
    world.call(world.django, path)
    assert world.both(f"{path}/{bob.public_id}", early=True, IF_NONE_MATCH=tag).status == "404 Not Found"


@pytest.mark.parametrize("version", [1, 2])
def test_rows_that_the_client_has(world, version):
    path = f"/api/v{version}/renders/{world.render.public_id}"
    tag = world.both(path, early=False).headers["ETag"]
    assert not tag.startswith("W/")
    for given in (tag, f'"other", W/{tag}'):
        same = world.both(path, early=True, IF_NONE_MATCH=given)
        assert (same.status, same.headers["ETag"], same.body) == ("304 Not Modified", tag, b"")
    Render.objects.filter(pk=world.render.pk).update(metadata={"order": "2"})
    changed = world.both(path, early=False, IF_NONE_MATCH=tag)
    assert changed.status == "200 OK"
    assert changed.headers["ETag"] != tag
    waiting = f"/api/v{version}/renders/{make_render(world.alice).public_id}"
    tag = world.both(waiting, early=False).headers["ETag"]
    assert world.both(waiting, early=False, IF_NONE_MATCH=tag).status == "304 Not Modified"
    Render.objects.filter(pk=world.render.pk).delete()
    assert world.both(path, early=True, IF_NONE_MATCH=changed.headers["ETag"]).status == "404 Not Found"


@pytest.mark.parametrize("path", ["/api/v2/nothing", "/api/v1/renders/a/b/c", "/api/v2/nothing?x=1"])
def test_paths_that_lead_nowhere(world, path):
    for headers in ({}, {"X_API_KEY": None}):
        assert world.both(path, early=True, **headers).status == "404 Not Found"


# --- What it leaves to Django -----------------------------------------------------------------------------------------

LEFT: dict[str, tuple[str, str, dict[str, str | None], int]] = {
    "a cookie": ("GET", RENDERS, {"COOKIE": "sessionid=abc"}, 200),
    "HEAD": ("HEAD", RENDERS, {}, 200),
    "OPTIONS": ("OPTIONS", RENDERS, {}, 200),
    "DELETE": ("DELETE", NOBODY, {}, 404),
    "PUT": ("PUT", RENDERS, {}, 405),
    "Basic": ("GET", RENDERS, {"X_API_KEY": None, "AUTHORIZATION": "Basic YTpi"}, 401),
    "a token": ("GET", RENDERS, {"X_API_KEY": None, "AUTHORIZATION": "Bearer a.b.c"}, 401),
    "wrong Accept": ("GET", RENDERS, {"ACCEPT": "text/csv"}, 406),
    "wrong Accept, nobody": ("GET", RENDERS, {"ACCEPT": "text/csv", "X_API_KEY": None}, 406),
    "a version by Accept": ("GET", RENDERS, {"ACCEPT": "application/vnd.renderowl.v1+json"}, 400),
    "a version by header": ("GET", RENDERS, {"API_VERSION": "1"}, 400),
    "a version by parameter": ("GET", f"{RENDERS}?api_version=1", {}, 400),
    "the same, encoded": ("GET", f"{RENDERS}?%61pi_version=1", {}, 400),
    "wrong Host": ("GET", RENDERS, {"HOST": "elsewhere.example"}, 400),
    "no version": ("GET", "/api/renders", {}, 200),
    "no such version": ("GET", "/api/v9/renders", {}, 404),
    "a trailing slash": ("GET", f"{RENDERS}/", {}, 200),
    "two slashes": ("GET", f"{RENDERS}//", {}, 200),
    "unknown parameter": ("GET", f"{RENDERS}?nonsense=1", {}, 400),
    "unknown parameter, any tag": ("GET", f"{RENDERS}?nonsense=1", {"IF_NONE_MATCH": "*"}, 400),
    "any tag": ("GET", RENDERS, {"IF_NONE_MATCH": "*"}, 304),
    "a parameter of a feature": ("GET", f"{RENDERS}?batch=bat_{'0' * 26}", {}, 200),
    "such a one in version 1": ("GET", f"/api/v1/renders?batch=bat_{'0' * 26}", {}, 404),
    "a path of another version": ("GET", "/api/v1/batches", {}, 404),
    "a path without limits": ("GET", "/api/v2/meta", {}, 200),
    "a row, waiting": ("GET", f"{NOBODY}?wait=0", {}, 404),
    "a row, If-Match": ("GET", NOBODY, {"IF_MATCH": '"x"'}, 404),
    "a path without GET": ("GET", "/api/v2/credits/estimate", {}, 405),
    "another row": ("GET", f"/api/v2/projects/prj_{'0' * 26}", {}, 404),
    "letters that are none": ("GET", f"{RENDERS}/\xff", {}, 404),
    "a page": ("GET", "/problems/not-found", {}, 200),
}


@pytest.mark.parametrize("name", LEFT)
def test_the_rest_is_left_to_django(world, name):
    method, path, headers, status = LEFT[name]
    world.call(world.django, path, method, **headers)
    early = name == "letters that are none"
    answer = world.both(path, early=early, method=method, **headers)
    assert answer.status.startswith(str(status))


def test_a_body_and_a_path_of_its_own_are_left_to_django(world):
    for extra in ({"CONTENT_LENGTH": "2"}, {"SCRIPT_NAME": "/renderowl"}, {"HTTP_TRANSFER_ENCODING": "chunked"}):
        world.passed_on = 0

        def app(environ, start_response, extra=extra):
            return world.door({**environ, **extra}, start_response)

        world.call(app, RENDERS, X_API_KEY=None)
        assert world.passed_on == 1


def test_limits_are_charged_and_refused_by_django(world):
    world.call(world.door, RENDERS)
    forget_what_was_counted()
    left = [world.call(world.door, RENDERS) for _ in range(31)]
    assert [answer.status[:3] for answer in left] == ["200"] * 30 + ["429"]
    assert [answer.headers["RateLimit"].split(";")[1] for answer in left] == [f"r={n}" for n in (*range(29, -1, -1), 0)]
    assert left[-1].headers["Retry-After"]
    world.passed_on = 0
    assert world.call(world.door, NOBODY).status[:3] == "429"
    assert world.passed_on == 1


def test_nobody_gets_another_accounts_answer(world):
    tag = world.call(world.door, RENDERS).headers["ETag"]
    world.key = make_api_key(make_user("bob"))
    first = world.call(world.door, RENDERS, IF_NONE_MATCH=tag)
    assert (first.status, first.headers["X-Cache"]) == ("200 OK", "MISS")
    assert b'"data":[]' in first.body
    second = world.both(RENDERS, early=True, IF_NONE_MATCH=tag)
    assert (second.headers["X-Cache"], second.body) == ("HIT", first.body)


def test_a_change_shows_at_once(world):
    world.call(world.door, RENDERS)
    world.both(RENDERS, early=True)
    made = make_render(world.alice)
    for outcome in ("MISS", "HIT"):
        answer = world.call(world.door, RENDERS)
        assert answer.headers["X-Cache"] == outcome
        assert made.public_id.encode() in answer.body


def test_what_is_switched_off_is_so_at_the_door(world, settings):
    world.call(world.door, RENDERS)
    settings.RENDEROWL_RATE_LIMITS = False
    for path, headers in ((RENDERS, {}), (NOBODY, {}), (RENDERS, {"X_API_KEY": None})):
        answers = [world.call(app, path, **headers) for app in (world.django, world.door)]
        assert comparable(answers[0]) == comparable(answers[1])
        assert "RateLimit" not in answers[1].headers
    settings.RENDEROWL_RATE_LIMITS, settings.RENDEROWL_ANSWER_CACHE = True, False
    assert world.both(RENDERS, early=True).headers["X-Cache"] == "BYPASS"


def test_spans_say_at_the_door_what_they_say_behind_it(world, traces):
    place = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    world.call(world.django, RENDERS)
    for path in (RENDERS, NOBODY, "/api/v2/nothing"):
        before = len(traces())
        world.both(path, early=True, TRACEPARENT=place)
        behind, door = traces()[before:]
        assert (door.name, door.kind, door.parent) == (behind.name, behind.kind, behind.parent)
        assert f"{door.context.trace_id:032x}" == place.split("-")[1]
        # Who called is not told outside of the door.
        own = {"renderowl.request.id", "renderowl.account.id"}
        said = [{name: value for name, value in span.attributes.items() if name not in own} for span in (behind, door)]
        assert said[0] == said[1]
        assert door.attributes["renderowl.request.id"]
        assert 0 < door.end_time - door.start_time < 10**10


def test_deprecated_versions_are_left_to_django(world, settings):
    settings.RENDEROWL_API_MARKS = parse_marks("v1=2025-01-01/2099-12-31")
    world.call(world.django, "/api/v1/renders")
    assert world.both("/api/v1/renders", early=False).headers["Deprecation"]


def test_under_https_and_behind_a_proxy(world, settings):
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 3600
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    world.django, world.door = WSGIHandler(), FrontDoor(world._behind)
    assert world.both(RENDERS, early=False).status.startswith("301")
    for path, headers in ((RENDERS, {"X_API_KEY": None, "X_FORWARDED_FOR": "203.0.113.9"}), (NOBODY, {})):
        answer = world.both(path, early=True, X_FORWARDED_PROTO="https", **headers)
        assert answer.headers["Strict-Transport-Security"].startswith("max-age=3600")


def test_from_another_origin(world, settings):
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example.com"]
    settings.MIDDLEWARE = [*settings.MIDDLEWARE[:5], settings.CORS_MIDDLEWARE, *settings.MIDDLEWARE[5:]]
    world.django, world.door = WSGIHandler(), FrontDoor(world._behind)
    for path, vary in ((RENDERS, "Authorization, X-API-Key, Accept, origin"), ("/api/v2/nothing", "origin")):
        world.call(world.django, path)
        assert world.both(path, early=True).headers["Vary"] == vary
    answer = world.both(RENDERS, early=False, ORIGIN="https://app.example.com")
    assert answer.headers["access-control-allow-origin"] == "https://app.example.com"


# --- What others rely on ----------------------------------------------------------------------------------------------


def test_every_middleware_of_the_settings_is_known():
    """Whoever adds one adds it to the door, with what it does to an answer; else the door stays shut."""
    assert set(configured.MIDDLEWARE) <= KNOWN_MIDDLEWARE


def test_a_middleware_that_is_not_known_shuts_the_door(world, settings):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.middleware.gzip.GZipMiddleware"]
    door = FrontDoor(world._behind)
    world.call(door, RENDERS, X_API_KEY=None)
    assert world.passed_on == 1


def test_the_key_is_read_once_whoever_answers(world):
    world.call(world.door, RENDERS)
    for path, passed_on, most in ((RENDERS, 0, 1), (NOBODY, 0, 2), (f"{RENDERS}?limit=1", 0, 2), (LABELLED, 1, 3)):
        world.passed_on = 0
        with CaptureQueriesContext(connection) as queries:
            world.call(world.door, path)
        texts = [query["sql"] for query in queries]
        assert world.passed_on == passed_on
        assert len(texts) <= most
        assert sum("accounts_apikey" in text for text in texts) == 1


def test_the_monitor_hears_of_everything(world, monkeypatch):
    heard: list[served.Served] = []
    monkeypatch.setattr(served, "observers", served.observers)
    monkeypatch.setattr("core.front.door.observers", [*served.observers, heard.append])
    monitor.recorder.take()
    world.call(world.door, LABELLED)
    for path, headers in (
        (RENDERS, {}),
        (RENDERS, {}),
        (NOBODY, {}),
        ("/api/v2/nothing", {}),
        (RENDERS, {"X_API_KEY": None}),
    ):
        world.call(world.door, path, **headers)
    told = [(seen.route, seen.status, seen.cache, seen.spent.queries) for seen in heard]
    assert told == [
        ("/api/v2/renders", 200, "MISS", 2),
        ("/api/v2/renders", 200, "HIT", 1),
        ("/api/v2/renders/{id}", 404, "", 2),
        ("(unmatched)", 404, "", 0),
        ("/api/v2/renders", 401, "", 0),
    ]
    cells = {(place.route, place.status_class): cell for place, cell in monitor.recorder.take().cells.items()}
    kept = cells["/api/v2/renders", 2]
    assert (kept.count, kept.cache_lookups, kept.cache_hits) == (3, 3, 1)
    assert (cells["/api/v2/renders/{id}", 4].count, cells["(unmatched)", 4].count) == (1, 1)
    assert cells["/api/v2/renders", 4].count == 1
    # The one that was left to Django has the query of the door too.
    assert kept.queries >= 2 + 1 + 2


def test_the_table_leads_where_django_does():
    table = Table(configured.ROOT_URLCONF)
    lists = ("renders", "projects", "templates", "assets", "credits/balance", "credits/entries")
    for version in (1, 2):
        for path in lists:
            spot = table.find(f"/api/v{version}/{path}")
            assert spot is not None
            assert spot.read is not None
            assert spot.read.families
        detail = table.find(f"/api/v{version}/renders/x")
        assert detail is not None
        assert (detail.route, detail.id_in(f"/api/v{version}/renders/x")) == (f"/api/v{version}/renders/{{id}}", "x")
        assert table.find(f"/api/v{version}/renders/validate").view == f"v{version}:render-validate"
    assert table.find("/api/v2/renders/") is None
    assert table.find("/api/v99999/renders") is None
