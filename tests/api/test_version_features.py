"""Paths, parameters and features that only some versions have, and the metadata of a version."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from rest_framework.test import APIClient

from api import lifecycle
from api.deprecations import Deprecation
from api.features import Feature
from api.features import features as known_features
from core.ids import encode_id, uuid7
from tests.api.test_problems import assert_problem
from tests.factories import make_api_key, make_render, make_user

SMALL_API = pytest.mark.urls("tests.api.version_urls")


@pytest.fixture
def features():
    batches = Feature("test_batches", "Many at once.", since=2)
    with known_features.override(batches, Feature("test_hurry", "Sooner.", since=2)):
        yield


@SMALL_API
@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/api/v1/films", "film-list"),
        ("/api/v2/films/newest", "film-newest"),
        ("/api/v1/films/7", "film-detail"),
        ("/api/v1/reels/7", "reel-detail"),
        ("/api/v1/shapes", "shape-old"),
        ("/api/v2/shapes", "shape-new"),
        ("/api/v2/batches", "batch-list"),
    ],
)
def test_paths_of_the_version_are_served(api, features, path, route):
    assert api.get(path).json()["route"] == route


@SMALL_API
@pytest.mark.parametrize(
    ("path", "available"),
    [
        ("/api/v1/films/newest", ["v2"]),
        ("/api/v2/reels", ["v1"]),
        ("/api/v2/reels/7", ["v1"]),
        ("/api/v1/batches", ["v2"]),
        ("/api/v1/films?hurry=1", ["v2"]),
    ],
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_paths_and_parameters_of_other_versions_name_them(features, path, available, method):
    client = APIClient(enforce_csrf_checks=True)
    body = assert_problem(getattr(client, method)(path), 404, "not_found")
    assert body["available_in"] == available


@SMALL_API
def test_paths_of_no_version_name_none(api):
    assert "available_in" not in assert_problem(api.get("/api/v1/songs"), 404, "not_found")


@SMALL_API
def test_an_installation_switches_features_off(api, features, settings):
    assert api.get("/api/v2/films?hurry=1").status_code == 200
    settings.RENDEROWL_API_FEATURES = {(2, "test_batches"): False, (2, "test_hurry"): False}
    for path in ("/api/v2/batches", "/api/v1/batches", "/api/v2/films?hurry=1", "/api/v1/films?hurry=1"):
        assert assert_problem(api.get(path), 404, "not_found")["available_in"] == []


def test_two_features_of_one_name_are_refused(features):
    known_features.register(Feature("test_hurry", "Sooner.", since=2))
    with pytest.raises(ValueError, match="test_hurry"):
        known_features.register(Feature("test_hurry", "Later."))


@pytest.mark.django_db
def test_version_1_has_no_long_poll(settings):
    settings.RENDEROWL_API_FEATURES = {(2, "long_poll"): True}
    alice = make_user()
    client = APIClient(headers={"X-API-Key": make_api_key(alice)})
    path = f"/api/v1/renders/{make_render(alice).public_id}"
    assert client.get(path).status_code == 200
    assert assert_problem(client.get(f"{path}?wait=5"), 404, "not_found")["available_in"] == ["v2"]


@pytest.mark.django_db
def test_errors_come_in_the_documented_order():
    path = f"/api/v1/renders/{encode_id('rnd', uuid7())}?wait=5"
    assert APIClient().get(path).status_code == 401
    narrow = APIClient(headers={"X-API-Key": make_api_key(scopes=("assets:read",))})
    assert narrow.get(path).status_code == 403


def test_meta_describes_a_version(api):
    body = api.get("/api/v1/meta").json()
    assert body == {
        "object": "api_version",
        "version": 1,
        "status": "supported",
        "is_default": True,
        "supported": ["v1", "v2"],
        "flags": {"page_pagination": True},
        "deprecation": None,
        "sunset": None,
        "brownouts": False,
        "deprecated_routes": [],
    }
    other = api.get("/api/v2/meta").json()
    assert (other["version"], other["status"], other["is_default"]) == (2, "current", False)
    assert other["flags"] | {"cursor_pagination": True, "progress_object": True} == other["flags"]
    assert "page_pagination" not in other["flags"]


def test_meta_shows_deprecation_and_sunset(api, settings, monkeypatch):
    deprecated, sunset = datetime(2027, 1, 1, tzinfo=UTC), datetime(2027, 12, 31, tzinfo=UTC)
    settings.RENDEROWL_API_DEPRECATIONS = (
        Deprecation(1, "", deprecated, sunset),
        Deprecation(2, "render-log", deprecated),
    )
    monkeypatch.setattr(lifecycle, "now", lambda: deprecated - timedelta(days=1))
    assert api.get("/api/v1/meta").json()["status"] == "supported"
    monkeypatch.setattr(lifecycle, "now", lambda: deprecated)
    first, second = (api.get(f"/api/v{version}/meta").json() for version in (1, 2))
    assert first["status"] == "deprecated"
    assert (first["deprecation"], first["sunset"]) == ("2027-01-01T00:00:00.000000Z", "2027-12-31T00:00:00.000000Z")
    assert second["status"] == "current"
    assert second["deprecated_routes"] == [
        {"route": "render-log", "deprecation": "2027-01-01T00:00:00.000000Z", "sunset": None}
    ]
    monkeypatch.setattr(lifecycle, "now", lambda: sunset + timedelta(days=1))
    assert api.get("/api/v2/meta").json()["supported"] == ["v2"]
