"""The OpenAPI documents are valid, complete and free of warnings."""

from __future__ import annotations

import json
import re

import pytest
from drf_spectacular.drainage import GENERATOR_STATS
from openapi_spec_validator import validate
from rest_framework.test import APIClient

from renderowl.urls import API_ROUTES
from tests.openapi.compatibility import find_breaks
from tests.openapi.documents import DIRECTORY, current_document, encode


@pytest.fixture
def documents(api: APIClient) -> dict[int, dict]:
    return {version: api.get(f"/api/v{version}/schema", HTTP_ACCEPT="application/json").json() for version in (1, 2)}


@pytest.mark.parametrize("version", [1, 2])
def test_schema_is_valid_openapi_3(documents: dict[int, dict], version: int) -> None:
    document = documents[version]
    assert document["openapi"].startswith("3.")
    validate(document)


@pytest.mark.parametrize("version", [1, 2])
def test_schema_builds_without_warnings(version: int) -> None:
    from api.docs import build_document
    from renderowl.urls import documented_patterns

    GENERATOR_STATS.reset()
    build_document.cache_clear()
    build_document(documented_patterns(version), version)
    assert {str(k): v for k, v in GENERATOR_STATS._warn_cache.items()} == {}
    assert {str(k): v for k, v in GENERATOR_STATS._error_cache.items()} == {}


@pytest.mark.parametrize("version", [1, 2])
def test_schema_has_every_route_of_the_version(documents: dict[int, dict], version: int) -> None:
    routes = [route for route in API_ROUTES if route.exists_in(version)]
    paths = [re.sub(r"<(?:[a-z]+:)?([a-z_]+)>", r"{\1}", route.path) for route in routes]
    wanted = {f"/api/v{version}/{path}" for path in paths}
    assert set(documents[version]["paths"]) == wanted


def test_every_operation_documents_its_problems(documents: dict[int, dict]) -> None:
    for path, operations in documents[2]["paths"].items():
        for method, operation in operations.items():
            responses = operation["responses"]
            refusals = [status for status in responses if status.startswith("4")]
            assert "429" in refusals, (method, path)
            for status in refusals:
                assert set(responses[status]["content"]) == {"application/problem+json"}, (method, path, status)


def test_lists_differ_between_versions(documents: dict[int, dict]) -> None:
    first, second = ({p["name"] for p in documents[v]["paths"][f"/api/v{v}/keys"]["get"]["parameters"]} for v in (1, 2))
    assert {"page", "per_page"} <= first
    assert {"cursor", "limit"} <= second
    assert not {"cursor", "limit"} & first


@pytest.mark.parametrize("version", [1, 2])
def test_changes_do_not_break_clients_of_the_stored_document(version: int) -> None:
    stored = json.loads((DIRECTORY / f"v{version}.json").read_text())
    assert [str(broken) for broken in find_breaks(stored, current_document(version))] == []


@pytest.mark.parametrize("version", [1, 2])
def test_the_stored_document_is_up_to_date(version: int) -> None:
    written = (DIRECTORY / f"v{version}.json").read_text()
    assert written == encode(current_document(version)), "run `make openapi`"


def test_ids_in_paths_have_a_pattern(documents: dict[int, dict]) -> None:
    parameters = documents[2]["paths"]["/api/v2/renders/{id}"]["get"]["parameters"]
    pattern = next(parameter["schema"]["pattern"] for parameter in parameters if parameter["name"] == "id")
    assert re.match(pattern, "rnd_01jd3x0v9pe5r8d2k7m4w6t8ya")
    assert not re.match(pattern, "ast_01jd3x0v9pe5r8d2k7m4w6t8ya")


def test_only_uploads_document_411(documents: dict[int, dict]) -> None:
    found = {
        (method, path)
        for path, operations in documents[2]["paths"].items()
        for method, operation in operations.items()
        if "411" in operation["responses"]
    }
    assert ("post", "/api/v2/assets") in found
    assert {path.split("/")[3] for _, path in found} == {"assets"}
