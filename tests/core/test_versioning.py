"""Which version a request speaks."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from tests.core.test_problems import assert_problem


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


def test_answer_varies_where_a_header_chose(api: APIClient) -> None:
    assert "API-Version" in api.get("/api/me", HTTP_API_VERSION="2")["Vary"]
    assert "API-Version" not in api.get("/api/v2/me").get("Vary", "")
