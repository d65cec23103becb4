"""API version selection."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import OperationalError
from rest_framework.test import APIClient

from accounts import authentication, selectors
from accounts.key_format import compose_key
from accounts.services import revoke_api_key
from tests.api.test_problems import assert_problem
from tests.factories import make_api_key, make_minted_key


@pytest.mark.parametrize(
    ("path", "headers", "version"),
    [
        ("/api/v1/me", {}, "1"),
        ("/api/v2/me", {}, "2"),
        ("/api/me", {}, "1"),
        ("/api/me", {"HTTP_API_VERSION": "2"}, "2"),
        ("/api/me", {"HTTP_API_VERSION": "v2"}, "2"),
        ("/api/me", {"HTTP_ACCEPT": "application/vnd.renderowl.v2+json"}, "2"),
        ("/api/me?api_version=2", {}, "2"),
        ("/api/v2/me", {"HTTP_API_VERSION": "2"}, "2"),
        ("/api/v2/me/", {}, "2"),
    ],
)
def test_source_chooses_the_version(api: APIClient, path: str, headers: dict, version: str) -> None:
    response = api.get(path, **headers)
    assert response.status_code == 401
    assert response["API-Version"] == version


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/api/v1/me", {"HTTP_API_VERSION": "2"}),
        ("/api/v2/me?api_version=1", {}),
        ("/api/me?api_version=1", {"HTTP_API_VERSION": "2"}),
    ],
)
def test_sources_that_disagree_are_a_conflict(api: APIClient, path: str, headers: dict) -> None:
    assert_problem(api.get(path, **headers), 400, "version_conflict")


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        ("/api/v9/me", {}, 404, "not_found"),
        ("/api/me", {"HTTP_ACCEPT": "application/vnd.renderowl.v9+json"}, 406, "not_acceptable"),
        ("/api/me", {"HTTP_API_VERSION": "9"}, 400, "unsupported_version"),
        ("/api/me", {"HTTP_API_VERSION": "two"}, 400, "unsupported_version"),
        ("/api/me?api_version=0", {}, 400, "unsupported_version"),
    ],
)
def test_unknown_version(api: APIClient, path: str, headers: dict, status: int, code: str) -> None:
    body = assert_problem(api.get(path, **headers), status, code)
    assert body["supported"] == ["v1", "v2"]


def test_response_varies_on_the_header_that_selects(api: APIClient) -> None:
    assert "API-Version" in api.get("/api/me", HTTP_API_VERSION="2")["Vary"]
    assert "API-Version" not in api.get("/api/v2/me").get("Vary", "")


def test_response_without_an_explicit_version_varies_on_all_headers_that_select(api: APIClient) -> None:
    assert {"API-Version", "Accept", "Authorization", "X-API-Key"} <= set(api.get("/api/me")["Vary"].split(", "))
    assert "API-Version" in api.get("/api/me", HTTP_ACCEPT="application/vnd.renderowl.v2+json")["Vary"]
    assert "API-Version" not in api.get("/api/me?api_version=2").get("Vary", "")


@pytest.mark.django_db
class TestPinnedVersion:
    """The version of an API key, for requests that name none."""

    @pytest.fixture
    def pinned(self) -> str:
        return make_api_key(pinned_version=2)

    @pytest.mark.parametrize(
        ("path", "headers", "version"),
        [
            ("/api/me", {}, "2"),
            ("/api/v1/me", {}, "1"),
            ("/api/me?api_version=1", {}, "1"),
            ("/api/me", {"API-Version": "1"}, "1"),
            ("/api/me", {"Accept": "application/vnd.renderowl.v1+json"}, "1"),
        ],
    )
    def test_applies_before_the_default_only(self, pinned: str, path: str, headers: dict, version: str) -> None:
        for credential in ({"X-API-Key": pinned}, {"Authorization": f"Bearer {pinned}"}):
            response = APIClient(headers={**credential, **headers}).get(path)
            assert (response.status_code, response["API-Version"]) == (200, version)

    def test_changes_the_shape(self, pinned: str) -> None:
        assert "next_cursor" in APIClient(headers={"X-API-Key": pinned}).get("/api/renders").json()
        assert "pagination" in APIClient(headers={"X-API-Key": make_api_key()}).get("/api/renders").json()

    def test_costs_no_query_and_one_authentication(
        self, pinned: str, django_assert_num_queries: Callable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client = APIClient(headers={"X-API-Key": pinned})
        client.get("/api/me")  # records the use of the key, once a minute
        seen: list[object] = []
        verify = authentication.verify_key
        monkeypatch.setattr(authentication, "verify_key", lambda *args: seen.append(args) or verify(*args))
        with django_assert_num_queries(1):
            assert client.get("/api/me")["API-Version"] == "2"
        assert len(seen) == 1

    def test_is_not_revealed_without_the_secret(self) -> None:
        key = make_minted_key(pinned_version=2).key
        forged = compose_key(key.head, key.key_prefix).text
        for text in (forged, "junk"):
            response = APIClient(headers={"X-API-Key": text}).get("/api/me")
            assert (response.status_code, response["API-Version"]) == (401, "1")

    def test_of_a_revoked_key_is_ignored(self) -> None:
        minted = make_minted_key(pinned_version=2)
        revoke_api_key(key=minted.key)
        response = APIClient(headers={"X-API-Key": minted.plaintext}).get("/api/me")
        assert_problem(response, 401, "token_revoked")
        assert response["API-Version"] == "1"

    def test_that_is_not_served_falls_back_to_the_default(self) -> None:
        minted = make_minted_key(pinned_version=7)
        assert APIClient(headers={"X-API-Key": minted.plaintext}).get("/api/me")["API-Version"] == "1"

    def test_two_credentials_that_differ_are_refused(self, pinned: str) -> None:
        headers = {"X-API-Key": pinned, "Authorization": f"Bearer {make_api_key()}"}
        assert_problem(APIClient(headers=headers).get("/api/me"), 401, "unauthenticated")

    def test_default_can_be_changed(self, settings) -> None:
        settings.RENDEROWL_DEFAULT_API_VERSION = 2
        assert APIClient().get("/api/me")["API-Version"] == "2"


def test_a_busy_database_answers_503(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(prefix: str) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(selectors, "find_key", locked)
    response = api.get("/api/me", HTTP_X_API_KEY=compose_key("ro_live").text)
    assert_problem(response, 503, "database_busy")
    assert response["Retry-After"] == "1"
