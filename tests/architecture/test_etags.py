"""Every GET of the API has an ETag, and every change of a versioned row can be conditional."""

from __future__ import annotations

import inspect
import re

import pytest
from django.conf import settings
from rest_framework.test import APIClient

from api.routing import api_path
from core.cache_tags.registry import tagged_tables
from core.models import VersionedModel
from renderowl.urls import API_ROUTES
from tests.api.test_golden_responses import world  # noqa: F401 - a fixture

# Route -> why its response has no ETag.
WITHOUT_ETAG = {
    "render-events": "an endless stream of events",
}
METHODS = {"put": "put", "patch": "patch", "delete": "delete"}


def has_get(route) -> bool:
    return "get" in route.actions if route.actions else hasattr(route.view, "get")


@pytest.mark.django_db
@pytest.mark.parametrize("version", settings.RENDEROWL_API_VERSIONS)
def test_every_get_has_an_etag_and_answers_304(world, version) -> None:  # noqa: F811
    client, ids = world
    checked = []
    for route in API_ROUTES:
        if not has_get(route) or not route.exists_in(version) or route.name in WITHOUT_ETAG:
            continue
        if "<" in route.path and route.name not in ids:
            continue
        path = api_path(route.name, version, **({"id": ids[route.name]} if route.name in ids else {}))
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert re.fullmatch(r'(W/)?"[\x21\x23-\x7e]+"', answer["ETag"]), path
        assert answer["X-Cache"] in {"MISS", "HIT", "BYPASS"}, path
        assert answer["Cache-Control"], path
        assert "Accept" in answer["Vary"], path
        again = client.get(path, headers={"If-None-Match": answer["ETag"]})
        assert (again.status_code, again.content) == (304, b""), path
        for name in ("ETag", "Cache-Control", "Vary", "Date"):
            assert name in again, (path, name)
        checked.append(route.name)
    assert {"render-list", "render-detail", "me", "meta", "credit-balance", "key-list", "asset-references"} <= set(
        checked
    )


@pytest.mark.parametrize("path", ["/api/v1/schema", "/api/v2/schema", "/api/docs/", "/api/redoc/"])
def test_documentation_pages_have_etags_too(path) -> None:
    answer = APIClient().get(path)
    assert answer.status_code == 200
    assert "ETag" in answer


@pytest.mark.parametrize("path", ["/api/v1/schema", "/api/v2/schema"])
def test_an_unchanged_schema_is_answered_with_304(path) -> None:
    first = APIClient().get(path, headers={"Accept": "application/json"})
    again = APIClient().get(path, headers={"Accept": "application/json", "If-None-Match": first["ETag"]})
    assert again.status_code == 304
    other = APIClient().get(path, headers={"Accept": "application/yaml", "If-None-Match": first["ETag"]})
    assert other.status_code == 200


@pytest.mark.django_db
def test_responses_about_keys_must_not_be_stored(world) -> None:  # noqa: F811
    client, ids = world
    for path in ("/api/v2/keys", api_path("key-detail", 2, id=ids["key-detail"])):
        assert client.get(path)["Cache-Control"] == "no-store"


@pytest.mark.parametrize("route", API_ROUTES, ids=lambda route: route.name)
def test_every_change_of_a_versioned_row_checks_conditions(route) -> None:
    model = getattr(getattr(route.view, "queryset", None), "model", None)
    if model is None or not issubclass(model, VersionedModel):
        return
    for method, action in (route.actions or METHODS).items():
        handler = getattr(route.view, action, None)
        if method not in METHODS or handler is None:
            continue
        source = inspect.getsource(inspect.unwrap(handler))
        helpers = re.findall(r"self\.(_\w+)\(", source)
        source += "".join(inspect.getsource(getattr(route.view, name)) for name in helpers)
        assert re.search(r"self\.(unchanged|version_check)\(", source), f"{route.name}.{action}: see api.conditional"


def test_every_cached_route_has_registered_cache_tags() -> None:
    known = {tagged.tag for tagged in tagged_tables.values()}
    named: dict[str, set[str]] = {}
    for route in API_ROUTES:
        if has_get(route):
            action = (route.actions or {"get": "get"})["get"]
            named[route.name] = set(route.view.endpoints[action].cache_tags)
            assert named[route.name] <= known, route.name
    for name in settings.RENDEROWL_RESPONSE_CACHE_RULES:
        assert named.get(name), f"{name} has a rule but no tags: it would never become stale"
