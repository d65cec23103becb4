"""Every error code has a problem type with a page, and both agree with the responses."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.test import Client

from api.problem_types import _BY_STATUS, PROBLEM_TYPES
from core.exceptions import DomainError
from tests.factories import make_api_key

pytestmark = pytest.mark.django_db
ROOT = Path(settings.BASE_DIR)
LITERAL_CODE = re.compile(r'(?:problem_response|build_problem)\(\s*"([a-z_]+)"')

# Not imported: loading locust patches sockets and threads of the whole process.
PROGRAMS = {"maintenance.loadtest.driver"}


def error_classes() -> set[type[DomainError]]:
    """All subclasses of DomainError in all apps."""
    for config in apps.get_app_configs():
        if Path(config.path).parent == ROOT:
            for module in pkgutil.walk_packages([config.path], f"{config.name}."):
                if ".migrations" not in module.name and module.name not in PROGRAMS:
                    importlib.import_module(module.name)
    found, todo = set(), [DomainError]
    while todo:
        kind = todo.pop()
        if not kind.__module__.startswith("tests."):
            found.add(kind)
        todo += kind.__subclasses__()
    return found


def test_every_error_has_a_problem_type() -> None:
    found = error_classes()
    assert len(found) > 25
    assert {kind.__qualname__: kind.code for kind in found if kind.code not in PROBLEM_TYPES} == {}


def test_every_literal_code_has_a_problem_type() -> None:
    sources = [
        path
        for config in apps.get_app_configs()
        if Path(config.path).parent == ROOT
        for path in Path(config.path).rglob("*.py")
    ]
    literal_codes = {code for path in sources for code in LITERAL_CODE.findall(path.read_text(encoding="utf-8"))}
    assert len(literal_codes) > 4
    assert literal_codes | set(_BY_STATUS.values()) <= set(PROBLEM_TYPES)


def test_errors_have_the_status_of_their_problem_type() -> None:
    # Codes that intentionally have more than one status.
    other = {"not_acceptable": {406}}
    found = {
        (kind.__qualname__, kind.status)
        for kind in error_classes()
        if kind.status != PROBLEM_TYPES[kind.code].status and kind.status not in other.get(kind.code, set())
    }
    assert found <= {("UnsupportedVersion", 404), ("UnsupportedVersion", 406)}


@pytest.mark.parametrize("problem", PROBLEM_TYPES.values(), ids=lambda problem: problem.code)
def test_every_problem_type_has_a_page(problem: Any) -> None:
    response = Client().get(f"/problems/{problem.slug}")
    assert response.status_code == 200
    text = response.content.decode()
    for part in (problem.title, problem.code, str(problem.status)):
        assert part in text
    assert problem.explanation.split(".")[0] in text.replace("&#x27;", "'")


def test_the_index_links_every_page() -> None:
    text = Client().get("/problems/").content.decode()
    linked = set(re.findall(r'href="/problems/([a-z-]+)"', text))
    assert linked == {problem.slug for problem in PROBLEM_TYPES.values()}


XML = {"data": b"<a/>", "content_type": "text/xml"}
REFUSED = {
    "an unknown path": ("GET", "/api/v2/owls", {}, 404, "not_found"),
    "an unknown internal path": ("GET", "/internal/owls", {}, 404, "not_found"),
    "a method not allowed": ("DELETE", "/api/v2/me", {}, 405, "method_not_allowed"),
    "no acceptable media type": ("GET", "/api/v2/me", {"HTTP_ACCEPT": "text/html"}, 406, "not_acceptable"),
    "a body too large": ("POST", "/api/v2/projects", {"data": b" " * (2**21 + 1)}, 413, "payload_too_large"),
    "an unsupported media type": ("POST", "/api/v2/projects", XML, 415, "unsupported_media_type"),
    "a body that is not JSON": ("POST", "/api/v2/projects", {"data": b"{"}, 400, "malformed_json"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_http_errors_are_problem_documents(case: str) -> None:
    method, path, extra, status, code = REFUSED[case]
    key = make_api_key()
    response = Client(headers={"X-API-Key": key}).generic(method, path, **{"content_type": "application/json", **extra})
    assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json")
    body = response.json()
    assert (body["status"], body["code"], body["type"]) == (status, code, f"/problems/{code.replace('_', '-')}")
    assert Client().get(body["type"]).status_code == 200
    if status == 405:
        assert "GET" in response["Allow"]
    if status == 413:
        assert body["limit_bytes"] == 2 * 1024 * 1024
    if status == 415:
        assert body["accepted"] == ["application/json"]


def test_upload_errors_list_both_media_types() -> None:
    client = Client(headers={"X-API-Key": make_api_key()})
    response = client.post("/api/v2/assets", data=b"<a/>", content_type="text/xml")
    assert (response.status_code, response.json()["accepted"]) == (415, ["application/json", "multipart/form-data"])
