"""Every error is an RFC 9457 problem document."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from api.problem_types import PROBLEM_TYPES
from api.problems import build_problem, exception_handler, flatten_errors
from core.exceptions import Unprocessable

MEMBERS = {"type", "title", "status", "detail", "instance", "code"}


def assert_problem(response, status: int, code: str) -> dict:
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    body = response.json()
    assert set(body) >= MEMBERS
    assert (body["status"], body["code"]) == (status, code)
    assert body["instance"] == f"urn:uuid:{response['X-Request-Id']}"
    return body


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize(
    "path", ["/api/v2/nothing", "/api/nothing", "/internal/nothing", "/webhooks/nothing", "/api/v2/"]
)
def test_unknown_path_is_a_problem(api: APIClient, settings, path: str, debug: bool) -> None:
    settings.DEBUG = debug
    assert_problem(api.get(path), 404, "not_found")


def test_wrong_method_is_a_problem_and_names_the_right_ones(api: APIClient) -> None:
    response = api.delete("/api/v2/auth/token")
    assert_problem(response, 405, "method_not_allowed")
    assert "POST" in response["Allow"]


def test_unhandled_exception_reveals_nothing(api: APIClient, monkeypatch: pytest.MonkeyPatch, settings) -> None:
    settings.DEBUG = False
    api.raise_request_exception = False

    def explode(*args, **kwargs):
        raise ZeroDivisionError("/etc/secret SELECT")

    monkeypatch.setattr("api.views.ApiView.determine_version", explode)
    body = assert_problem(api.get("/api/v2/me"), 500, "internal_error")
    assert "secret" not in str(body)
    assert "SELECT" not in str(body)


def test_request_without_credential_gets_a_challenge(api: APIClient) -> None:
    response = api.get("/api/v2/me")
    assert_problem(response, 401, "unauthenticated")
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_malformed_json(api: APIClient) -> None:
    response = api.post("/api/v2/auth/token", b'{"username": ', content_type="application/json")
    assert_problem(response, 400, "malformed_json")


@pytest.mark.parametrize("body", [b'{"username": NaN}', b"\xff\xfe{}", b"[" * 5000])
def test_invalid_json_is_refused(api: APIClient, body: bytes) -> None:
    assert_problem(api.post("/api/v2/auth/token", body, content_type="application/json"), 400, "malformed_json")


def test_wrong_content_type(api: APIClient) -> None:
    response = api.post("/api/v2/auth/token", b"a=b", content_type="text/plain")
    assert_problem(response, 415, "unsupported_media_type")


def test_body_over_the_limit_is_refused(api: APIClient) -> None:
    response = api.post("/api/v2/auth/token", b" " * (2 * 1024 * 1024 + 1), content_type="application/json")
    body = assert_problem(response, 413, "payload_too_large")
    assert body["limit_bytes"] == 2 * 1024 * 1024


def test_unacceptable_representation(api: APIClient) -> None:
    assert_problem(api.get("/api/v2/me", HTTP_ACCEPT="text/turtle"), 406, "not_acceptable")


@pytest.mark.parametrize(
    ("given", "is_used"), [("abcdefgh-1.2_3", True), ("short", False), ("bad id with spaces", False)]
)
def test_request_id_of_the_client_is_used_only_if_clean(api: APIClient, given: str, is_used: bool) -> None:
    response = api.get("/api/v2/me", HTTP_X_REQUEST_ID=given)
    assert (response["X-Request-Id"] == given) is is_used
    assert "app;dur=" in response["Server-Timing"]


def test_every_code_has_a_page(api: APIClient) -> None:
    for problem in PROBLEM_TYPES.values():
        page = api.get(f"/problems/{problem.slug}")
        assert page.status_code == 200
        assert problem.code in page.content.decode()
    assert api.get("/problems/no-such-thing").status_code == 404


def test_at_most_fifty_errors_are_reported() -> None:
    errors = [{"pointer": f"/{n}", "code": "invalid", "detail": "no"} for n in range(51)]
    response = exception_handler(Unprocessable(errors), {})
    assert response is not None
    assert len(response.data["errors"]) == 50
    assert response.data["errors_truncated"] is True


def test_nested_errors_become_pointers() -> None:
    detail = {"a": {"b/c": ["x"]}, "rows": [{}, {"n~m": ["y", "z"]}], "non_field_errors": ["all"]}
    assert [error["pointer"] for error in flatten_errors(detail)] == ["/a/b~1c", "/rows/1/n~0m", "/rows/1/n~0m", ""]


def test_titles_are_constant_and_types_resolve_from_codes() -> None:
    body = build_problem("asset_in_use", "held", conflicts=["rnd_1"])
    assert body["type"] == "/problems/asset-in-use"
    assert body["conflicts"] == ["rnd_1"]
