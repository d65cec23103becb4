"""Hostile and malformed requests."""

from __future__ import annotations

import logging
from io import BytesIO

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from rest_framework.test import APIClient

from api.middleware import ApiMiddleware
from core.logs import ContextFilter, SignedLinkFilter
from tests.api.test_problems import assert_problem
from tests.factories import make_api_key, make_user

CHUNKED = {"HTTP_TRANSFER_ENCODING": "chunked"}


def chunked(body: bytes, content_type: str = "application/json"):
    """A chunked request, as the WSGI server passes it on."""
    request = RequestFactory().generic("POST", "/api/v2/renders", b"x", content_type, **CHUNKED)
    request.META.pop("CONTENT_LENGTH", None)
    request.META["wsgi.input"] = BytesIO(body)
    return request


def read_behind_middleware(request) -> tuple[HttpResponse, list[bytes]]:
    seen: list[bytes] = []

    def get_response(inner):
        seen.append(inner.read())
        return HttpResponse()

    return ApiMiddleware(get_response)(request), seen


def test_chunked_body_is_read() -> None:
    response, seen = read_behind_middleware(chunked(b'{"edit": {}}'))
    assert (response.status_code, seen) == (200, [b'{"edit": {}}'])


def test_chunked_body_is_limited(settings) -> None:
    settings.RENDEROWL_BODY_LIMIT_BYTES = 100
    request = chunked(b"x" * 1000)
    response, seen = read_behind_middleware(request)
    assert (response.status_code, seen) == (413, [])
    assert request.META["wsgi.input"].tell() == 101


def test_chunked_upload_is_refused() -> None:
    response, seen = read_behind_middleware(chunked(b"", "multipart/form-data; boundary=x"))
    assert (response.status_code, seen) == (411, [])


@pytest.mark.parametrize("path", ["/api", "/internal", "/webhooks", "/api/v2", "/api/v2/me"])
def test_unknown_host_is_a_problem_that_names_the_header(api: APIClient, path: str) -> None:
    body = assert_problem(api.get(path, HTTP_HOST="evil.example"), 400, "invalid_header")
    assert body["errors"][0]["header"] == "Host"


@pytest.mark.parametrize("path", ["/api", "/internal", "/webhooks"])
def test_bare_prefix_is_a_problem(api: APIClient, path: str, settings) -> None:
    settings.DEBUG = True
    assert_problem(api.get(path), 404, "not_found")


@pytest.mark.django_db
def test_head_needs_no_more_than_get(api: APIClient) -> None:
    api.credentials(HTTP_X_API_KEY=make_api_key(make_user("alice"), scopes=("renders:read",)))
    assert api.head("/api/v2/me").status_code == 200


@pytest.mark.parametrize("accept", ["application/json", "application/vnd.oai.openapi", "*/*"])
def test_error_of_the_schema_is_json(api: APIClient, accept: str) -> None:
    assert_problem(api.post("/api/v2/schema", {}, HTTP_ACCEPT=accept), 405, "method_not_allowed")


def test_unacceptable_format_of_the_schema_is_json(api: APIClient) -> None:
    assert_problem(api.get("/api/v2/schema", HTTP_ACCEPT="text/csv"), 406, "not_acceptable")


def test_log_lines_hold_no_signed_links_and_name_the_request() -> None:
    record = logging.LogRecord(
        "django.request", logging.ERROR, "", 1, "%s: %s", ("Error", "/files/tOkEn_1/a.mp4"), None
    )
    record.request = RequestFactory().get("/")
    record.request.request_id = "request-one"
    assert ContextFilter().filter(record)
    assert SignedLinkFilter().filter(record)
    assert record.getMessage() == "Error: /files/.../a.mp4"
    assert record.request_id == "request-one"


@pytest.mark.django_db
def test_server_error_is_logged_once_under_its_request(
    api: APIClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    api.raise_request_exception = False
    monkeypatch.setattr("api.views.ApiView.determine_version", lambda *args, **kwargs: 1 / 0)
    response = api.get("/api/v2/me")
    lines = [record for record in caplog.records if record.name == "django.request"]
    assert [record.request.request_id for record in lines] == [response["X-Request-Id"]]
    assert lines[0].exc_info is not None


@pytest.mark.django_db
@pytest.mark.parametrize(
    "body",
    [
        b'{"name": "a", "name": "b"}',
        b'{"name": "a", "metadata": {"a": 1, "b": 2, "a": 1}}',
        b'{"name": "a", "n\\u0061me": "b"}',
        b'{"name": ' + b"[" * 300 + b"]" * 300 + b"}",
        b'{"name": ' + b"[" * 1020 + b"]" * 1020 + b"}",
    ],
)
def test_duplicate_keys_and_deep_nesting_are_refused(api: APIClient, body: bytes) -> None:
    api.credentials(HTTP_X_API_KEY=make_api_key(make_user("alice")))
    for headers in ({}, {"Idempotency-Key": "k"}):
        response = api.generic("POST", "/api/v2/projects", body, "application/json", headers=headers)
        assert_problem(response, 400, "malformed_json")


@pytest.mark.django_db
def test_deeply_nested_json_is_accepted(api: APIClient) -> None:
    api.credentials(HTTP_X_API_KEY=make_api_key(make_user("alice")))
    body = b'{"name": "a", "metadata": {"a": ' + b"[" * 200 + b"]" * 200 + b"}}"
    response = api.generic("POST", "/api/v2/projects", body, "application/json")
    assert_problem(response, 422, "validation_error")
