"""Deprecation, brownouts and sunset: headers, responses and settings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from rest_framework.test import APIClient

from api import lifecycle
from api.deprecations import Deprecation, parse_deprecations, parse_feature_switches
from renderowl.environment import api_deprecations, feature_switches
from tests.api.header_parsers import read_deprecation, read_links, read_sunset
from tests.api.test_problems import assert_problem
from tests.factories import make_api_key

DEPRECATED = datetime(2027, 1, 1, tzinfo=UTC)
SUNSET = datetime(2027, 12, 31, 23, 59, 59, tzinfo=UTC)
V1 = Deprecation(1, "", DEPRECATED, SUNSET)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def clock(monkeypatch):
    """Set the clock of `api.lifecycle` only."""

    def set_clock(moment):
        monkeypatch.setattr(lifecycle, "now", lambda: moment)

    set_clock(DEPRECATED + timedelta(days=1))
    return set_clock


@pytest.fixture
def v1_ends(settings, clock):
    settings.RENDEROWL_API_DEPRECATIONS = (V1,)
    return clock


def relations(response):
    return {relation: target for relation, (target, _) in read_links(response["Link"]).items()}


def test_nothing_is_announced_without_a_deprecation(api):
    for path in ("/api/v1/me", "/api/v2/me"):
        assert not {"Deprecation", "Sunset", "Link"} & set(api.get(path).headers)


def test_headers_follow_the_standards(api, v1_ends):
    response = api.get("/api/v1/renders")
    assert response["Deprecation"] == "@1798761600"
    assert response["Sunset"] == "Fri, 31 Dec 2027 23:59:59 GMT"
    assert response["Link"] == (
        '</docs/migrate-v2>; rel="deprecation"; type="text/html", </docs/sunset>; rel="sunset", '
        '</api/v2/renders>; rel="successor-version"'
    )
    assert read_deprecation(response["Deprecation"]) == DEPRECATED
    assert read_sunset(response["Sunset"]) == SUNSET
    assert read_links(response["Link"])["deprecation"] == ("/docs/migrate-v2", {"type": "text/html"})


@pytest.mark.parametrize(
    ("path", "successor"),
    [
        ("/api/v1/renders/rnd_0/cancel", "/api/v2/renders/rnd_0/cancel"),
        ("/api/renders", "/api/v2/renders"),
        ("/api/v1/renders/", "/api/v2/renders"),
        ("/api/v1/schema", None),
        ("/api/v1/no/such/path", None),
    ],
)
def test_every_response_of_the_version_links_to_its_successor(api, v1_ends, path, successor):
    response = api.get(path)
    assert response["Deprecation"]
    assert relations(response).get("successor-version") == successor


@pytest.mark.django_db
def test_errors_are_announced_like_successes(v1_ends):
    client = APIClient(headers={"X-API-Key": make_api_key()})
    answers = [
        client.get("/api/v1/me"),
        client.get("/api/v1/renders?nonsense=1"),
        client.post("/api/v1/projects", {"name": "film"}),
        client.put("/api/v1/me"),
        client.post("/api/v1/renders", "{" * 3_000_000, content_type="application/json"),
        client.get("/api/v1/me", headers={"X-API-Key": "junk"}),
    ]
    assert [response.status_code for response in answers] == [200, 400, 201, 405, 413, 401]
    for response in answers:
        assert response["Deprecation"] == "@1798761600"


@pytest.mark.parametrize("path", ["/api/v2/renders", "/api/v2/schema", "/api/docs/", "/live", "/problems/not-found"])
def test_other_paths_announce_nothing(api, v1_ends, path):
    assert "Deprecation" not in api.get(path).headers


def test_a_future_date_is_announced_too(api, v1_ends):
    v1_ends(DEPRECATED - timedelta(days=100))
    assert api.get("/api/v1/me")["Deprecation"] == "@1798761600"


def test_no_sunset_header_without_a_sunset(api, clock, settings):
    settings.RENDEROWL_API_DEPRECATIONS = (Deprecation(1, "", DEPRECATED),)
    clock(SUNSET + timedelta(days=1000))
    response = api.get("/api/v1/me")
    assert response.status_code == 401
    assert "Sunset" not in response.headers
    assert set(relations(response)) == {"deprecation", "successor-version"}


def test_a_single_route_can_end(api, clock, settings):
    settings.RENDEROWL_API_DEPRECATIONS = (Deprecation(2, "render-log", DEPRECATED, SUNSET),)
    response = api.get("/api/v2/renders/rnd_0/log")
    assert read_sunset(response["Sunset"]) == SUNSET
    # The newest version has no successor, so both links lead to the page of sunsets.
    assert relations(response) == {"deprecation": "/docs/sunset", "sunset": "/docs/sunset"}
    assert "Deprecation" not in api.get("/api/v2/renders/rnd_0").headers
    assert "Deprecation" not in api.get("/api/v1/renders/rnd_0/log").headers
    clock(SUNSET + timedelta(seconds=1))
    assert_problem(api.get("/api/v2/renders/rnd_0/log"), 410, "version_sunset")
    assert api.get("/api/v2/renders/rnd_0").status_code == 401


def test_the_earlier_of_two_sunsets_counts(api, clock, settings):
    early = Deprecation(1, "me", DEPRECATED, SUNSET - timedelta(days=100))
    settings.RENDEROWL_API_DEPRECATIONS = (V1, early)
    assert read_sunset(api.get("/api/v1/me")["Sunset"]) == early.sunset_at
    assert read_sunset(api.get("/api/v1/keys")["Sunset"]) == SUNSET


@pytest.mark.urls("tests.api.version_urls")
def test_links_of_the_response_itself_stay(api, v1_ends):
    assert relations(api.get("/api/v1/films?page=1")) == {
        "next": "/next",
        "deprecation": "/docs/migrate-v2",
        "sunset": "/docs/sunset",
        "successor-version": "/api/v2/films",
    }
    assert "successor-version" not in relations(api.get("/api/v1/reels"))


def test_the_version_is_served_until_its_last_second(api, v1_ends):
    v1_ends(SUNSET)
    assert api.get("/api/v1/me").status_code == 401


@pytest.mark.parametrize("path", ["/api/v1/me", "/api/me", "/api/v1/schema", "/api/v1/nowhere", "/api/v1/meta"])
def test_the_version_is_gone_after_its_sunset(api, v1_ends, path):
    v1_ends(SUNSET + timedelta(seconds=1))
    response = api.get(path)
    body = assert_problem(response, 410, "version_sunset")
    assert body["available_in"] == ["v2"]
    assert "31 Dec 2027" in body["detail"]
    assert read_sunset(response["Sunset"]) == SUNSET
    assert {"deprecation", "sunset"} <= set(relations(response))
    assert response["API-Version"] == "1"


def test_the_other_version_is_served_after_the_sunset(api, v1_ends):
    v1_ends(SUNSET + timedelta(days=1))
    assert api.get("/api/v2/me").status_code == 401
    assert api.get("/api/v9/me").json()["supported"] == ["v2"]


@pytest.mark.django_db
def test_an_ended_path_has_no_effect(v1_ends):
    client = APIClient(headers={"X-API-Key": make_api_key()})
    v1_ends(SUNSET + timedelta(days=1))
    assert client.post("/api/v1/projects", {"name": "film"}).status_code == 410
    assert client.get("/api/v2/projects").json()["data"] == []


@pytest.mark.parametrize(
    ("moment", "wait"),
    [
        (SUNSET - timedelta(days=1) - timedelta(minutes=59, seconds=59), 60),
        (datetime(2027, 12, 25, 8, 0, 0, tzinfo=UTC), 60),
        (datetime(2027, 12, 25, 8, 0, 59, 500_000, tzinfo=UTC), 1),
        (datetime(2027, 12, 31, 23, 0, 30, tzinfo=UTC), 30),
        (datetime(2027, 12, 25, 8, 1, 0, tzinfo=UTC), None),
        (datetime(2027, 12, 25, 8, 59, 59, tzinfo=UTC), None),
        (datetime(2027, 12, 17, 23, 0, 10, tzinfo=UTC), None),  # 14 days and a second before the end
        (datetime(2027, 12, 18, 0, 0, 10, tzinfo=UTC), 50),
        (datetime(2027, 6, 1, 8, 0, 0, tzinfo=UTC), None),
    ],
)
def test_brownouts_take_a_minute_of_each_hour_of_the_last_days(api, v1_ends, settings, moment, wait):
    settings.RENDEROWL_API_BROWNOUTS = True
    v1_ends(moment)
    response = api.get("/api/v1/me")
    if wait is None:
        assert response.status_code == 401
        return
    assert_problem(response, 503, "maintenance")
    assert response["Retry-After"] == str(wait)
    assert response["Sunset"]
    assert api.get("/api/v2/me").status_code == 401


def test_brownouts_happen_only_if_enabled(api, v1_ends):
    v1_ends(datetime(2027, 12, 25, 8, 0, 0, tzinfo=UTC))
    assert api.get("/api/v1/me").status_code == 401


def test_the_pages_that_links_lead_to_exist(client, v1_ends, settings):
    guide = client.get("/docs/migrate-v2")
    assert guide["Content-Type"].startswith("text/html")
    for text in ("31 December 2027, 23:59:59", "pinned_version", "next_cursor", "progress.percent"):
        assert text in guide.content.decode()
    page = client.get("/docs/sunset").content.decode()
    assert "<code>v1</code>" in page
    assert "1 January 2027" in page
    assert "503" not in page
    settings.RENDEROWL_API_BROWNOUTS = True
    assert "503" in client.get("/docs/sunset").content.decode()


def test_the_pages_exist_without_any_deprecation(client):
    assert "No date for its end" in client.get("/docs/migrate-v2").content.decode()
    assert "Nothing is deprecated" in client.get("/docs/sunset").content.decode()
    assert client.get("/docs/migrate-v3").status_code == client.get("/docs/migrate-v1").status_code == 404


def test_the_schema_shows_the_deprecation(api, v1_ends):
    operation = api.get("/api/v1/schema", HTTP_ACCEPT="application/json").json()["paths"]["/api/v1/me"]["get"]
    assert operation["deprecated"] is True
    assert "410" in operation["responses"]
    other = api.get("/api/v2/schema", HTTP_ACCEPT="application/json").json()["paths"]["/api/v2/me"]["get"]
    assert "deprecated" not in other
    assert "410" not in other["responses"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("v1=2027-01-01/2027-12-31", (V1,)),
        ("v1=2027-01-01T00:00:00Z/2028-01-01T00:59:59+01:00", (V1,)),
        (" v1=2027-01-01 , v2:render-log=2027-01-01/2027-12-31,", (
            Deprecation(1, "", DEPRECATED), Deprecation(2, "render-log", DEPRECATED, SUNSET),
        )),
    ],
)  # fmt: skip
def test_deprecations_are_read_from_the_environment(monkeypatch, text, expected):
    assert parse_deprecations(text) == expected
    monkeypatch.setenv("API_DEPRECATIONS", text)
    assert api_deprecations("API_DEPRECATIONS") == expected


@pytest.mark.parametrize(
    "text", ["v1", "1=2027-01-01", "v1=soon", "v1=2027-13-01", "v1=2027-01-01/", "v1=2027-01-01,v1=2027-02-01", "v1:=x"]
)
def test_malformed_deprecations_stop_the_start(monkeypatch, text):
    monkeypatch.setenv("API_DEPRECATIONS", text)
    with pytest.raises(ImproperlyConfigured, match="API_DEPRECATIONS"):
        api_deprecations("API_DEPRECATIONS")


@pytest.mark.parametrize(
    ("deprecation", "fault"),
    [
        (Deprecation(1, "", DEPRECATED, DEPRECATED - timedelta(seconds=1)), "before it is deprecated"),
        (Deprecation(1, "", DEPRECATED, DEPRECATED + timedelta(days=180) - timedelta(seconds=1)), "less than 180 days"),
        (Deprecation(1, "", DEPRECATED, DEPRECATED + timedelta(days=180)), None),
        (Deprecation(1, "", DEPRECATED), None),
        (Deprecation(7, "", DEPRECATED), "no version 7"),
        (Deprecation(2, "", DEPRECATED), "clients could not migrate"),
        (Deprecation(2, "render-log", DEPRECATED), None),
        (Deprecation(2, "render-sing", DEPRECATED), "no route named render-sing"),
    ],
)
def test_checks_reject_invalid_deprecations(settings, deprecation, fault):
    settings.RENDEROWL_API_DEPRECATIONS = (deprecation,)
    found = [check.msg for check in run_checks() if check.id == "renderowl.E003"]
    assert (fault is None and found == []) or fault in found[0]


@pytest.mark.parametrize(
    ("switches", "default", "fault"),
    [
        ({}, 2, None),
        ({(2, "long_poll"): True}, 1, None),
        ({(1, "long_poll"): True}, 1, "version 1 can have no feature long_poll"),
        ({(2, "teleport"): True}, 1, "no feature teleport"),
        ({(3, "long_poll"): True}, 1, "version 3"),
        ({(2, "cursor_pagination"): False}, 1, "cannot be switched"),
        ({}, 3, "no version 3"),
    ],
)
def test_checks_reject_switches_of_unknown_features(settings, switches, default, fault):
    settings.RENDEROWL_API_FEATURES, settings.RENDEROWL_DEFAULT_API_VERSION = switches, default
    found = [check.msg for check in run_checks() if check.id == "renderowl.E004"]
    assert (fault is None and found == []) or fault in found[0]


def test_switches_are_read_from_the_environment(monkeypatch):
    assert parse_feature_switches("v2:long_poll=off, v2:batches=on") == {(2, "long_poll"): False, (2, "batches"): True}
    monkeypatch.setenv("API_FEATURES", "v2:long_poll=perhaps")
    with pytest.raises(ImproperlyConfigured, match="API_FEATURES"):
        feature_switches("API_FEATURES")
