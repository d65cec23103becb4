"""The liveness probe."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient


@pytest.mark.parametrize("path", ["/live", "/live/"])
def test_answers_without_a_query(api: APIClient, path: str) -> None:
    response = api.get(path)
    assert response.status_code == 200
    assert response["Content-Type"] == "application/health+json"
    assert response.json() == {"status": "pass"}
    assert response["Content-Length"] == str(len(response.content))
    assert response["X-Request-Id"]


def test_accepts_any_host_and_plain_http(api: APIClient, settings) -> None:
    settings.ALLOWED_HOSTS = ["renderowl.example"]
    settings.SECURE_SSL_REDIRECT = True
    assert api.get("/live", HTTP_HOST="10.1.2.3:8000").status_code == 200


@pytest.mark.parametrize("path", ["/live/nothing", "/healthy", "/health/nothing"])
def test_unknown_probes_are_not_found(api: APIClient, path: str) -> None:
    response = api.get(path)
    assert response.status_code == 404
    is_probe = not path.startswith("/healthy")
    assert (response["Content-Type"] == "application/problem+json") is is_probe
