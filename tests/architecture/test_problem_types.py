"""Every refusal that the project can raise has a page that explains it, and says the same as its document."""

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
WRITTEN = re.compile(r'(?:problem_response|build_problem)\(\s*"([a-z_]+)"')

# Run in processes of their own: loading locust's client changes sockets and threads of the whole process.
PROGRAMS = {"maintenance.loadtest.driver"}


def refusals() -> set[type[DomainError]]:
    """All classes of errors, of all modules of all apps."""
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


def test_every_refusal_has_a_type() -> None:
    found = refusals()
    assert len(found) > 25
    assert {kind.__qualname__: kind.code for kind in found if kind.code not in PROBLEM_TYPES} == {}


def test_every_code_written_out_has_a_type() -> None:
    sources = [
        path
        for config in apps.get_app_configs()
        if Path(config.path).parent == ROOT
        for path in Path(config.path).rglob("*.py")
    ]
    written = {code for path in sources for code in WRITTEN.findall(path.read_text(encoding="utf-8"))}
    assert len(written) > 4
    assert written | set(_BY_STATUS.values()) <= set(PROBLEM_TYPES)


def test_a_type_is_answered_with_the_status_that_its_page_names() -> None:
    # Answers that carry another status than their type's page: each is on purpose.
    other = {"not_acceptable": {406}}
    found = {
        (kind.__qualname__, kind.status)
        for kind in refusals()
        if kind.status != PROBLEM_TYPES[kind.code].status and kind.status not in other.get(kind.code, set())
    }
    assert found <= {("UnsupportedVersion", 404), ("UnsupportedVersion", 406)}


@pytest.mark.parametrize("problem", PROBLEM_TYPES.values(), ids=lambda problem: problem.code)
def test_every_type_has_a_page(problem: Any) -> None:
    response = Client().get(f"/problems/{problem.slug}")
    assert response.status_code == 200
    text = response.content.decode()
    for part in (problem.title, problem.code, str(problem.status)):
        assert part in text
    assert problem.explanation.split(".")[0] in text.replace("&#x27;", "'")


def test_the_index_leads_to_every_page() -> None:
    text = Client().get("/problems/").content.decode()
    linked = set(re.findall(r'href="/problems/([a-z-]+)"', text))
    assert linked == {problem.slug for problem in PROBLEM_TYPES.values()}


XML = {"data": b"<a/>", "content_type": "text/xml"}
REFUSED = {
    "a path that is not": ("GET", "/api/v2/owls", {}, 404, "not_found"),
    "a path below that is not": ("GET", "/internal/owls", {}, 404, "not_found"),
    "a method that is not": ("DELETE", "/api/v2/me", {}, 405, "method_not_allowed"),
    "no common language": ("GET", "/api/v2/me", {"HTTP_ACCEPT": "text/html"}, 406, "not_acceptable"),
    "a body too large": ("POST", "/api/v2/projects", {"data": b" " * (2**21 + 1)}, 413, "payload_too_large"),
    "a body of another kind": ("POST", "/api/v2/projects", XML, 415, "unsupported_media_type"),
    "a body that is no JSON": ("POST", "/api/v2/projects", {"data": b"{"}, 400, "malformed_json"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_of_http_itself_are_problems(case: str) -> None:
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


def test_uploads_name_both_kinds_of_body() -> None:
    client = Client(headers={"X-API-Key": make_api_key()})
    response = client.post("/api/v2/assets", data=b"<a/>", content_type="text/xml")
    assert (response.status_code, response.json()["accepted"]) == (415, ["application/json", "multipart/form-data"])
