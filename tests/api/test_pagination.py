"""Pagination: cursors that neither skip nor repeat rows, pages with totals, invalid parameters."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import ApiKey, User
from api.pagination import Cursor
from tests.api.test_problems import assert_problem
from tests.factories import make_api_key, make_minted_key, make_user

pytestmark = pytest.mark.django_db
KEYS = 7


@pytest.fixture
def alice() -> User:
    return make_user("alice")


@pytest.fixture
def client(api: APIClient, alice: User) -> APIClient:
    api.credentials(HTTP_X_API_KEY=make_api_key(alice, scopes=("keys:read",)))
    # Three rows with the same time differ only in their ids, and none may be lost at a page's edge.
    now = timezone.now()
    for number in range(KEYS - 1):
        key = make_minted_key(alice, name=f"key {number}").key
        moment = now - timedelta(hours=1 if number < 3 else number)
        ApiKey.objects.filter(pk=key.pk).update(created_at=moment)
    return api


def walk(client: APIClient, url: str, relation: str = "next_cursor") -> list[list[str]]:
    pages, cursor = [], None
    while True:
        body = client.get(url + (f"&cursor={cursor}" if cursor else "")).json()
        pages.append([row["id"] for row in body["data"]])
        cursor = body[relation]
        if cursor is None:
            return pages
        assert len(pages) < 20


@pytest.mark.parametrize("ordering", ["-created_at", "created_at"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_cursors_visit_every_row_once_in_order(client: APIClient, ordering: str, limit: int) -> None:
    pages = walk(client, f"/api/v2/keys?limit={limit}&ordering={ordering}")
    sign = "-" if ordering.startswith("-") else ""
    expected = [key.public_id for key in ApiKey.objects.order_by(ordering, f"{sign}pk")]
    assert [row for page in pages for row in page] == expected
    assert all(len(page) == limit for page in pages[:-1])


def test_previous_cursor_returns_the_previous_page(client: APIClient) -> None:
    forward = walk(client, "/api/v2/keys?limit=3")
    first = client.get("/api/v2/keys?limit=3").json()
    second = client.get(f"/api/v2/keys?limit=3&cursor={first['next_cursor']}").json()
    back = client.get(f"/api/v2/keys?limit=3&cursor={second['prev_cursor']}").json()
    assert [row["id"] for row in back["data"]] == forward[0]
    assert back["prev_cursor"] is None
    assert back["has_more"] is True


def test_inserted_row_neither_shifts_nor_repeats_others(client: APIClient, alice: User) -> None:
    before = [row for page in walk(client, "/api/v2/keys?limit=100") for row in page]
    first = client.get("/api/v2/keys?limit=3").json()
    make_api_key(alice)
    rest = client.get(f"/api/v2/keys?limit=100&cursor={first['next_cursor']}").json()
    assert [row["id"] for row in first["data"]] + [row["id"] for row in rest["data"]] == before


def test_link_header_carries_the_cursor(client: APIClient) -> None:
    response = client.get("/api/v2/keys?limit=3")
    assert response["Link"].startswith("</api/v2/keys?limit=3&cursor=")
    assert response["Link"].endswith('>; rel="next"')


def test_version_1_counts_pages(client: APIClient) -> None:
    body = client.get("/api/v1/keys?per_page=3&page=3").json()
    assert body["pagination"] == {"page": 3, "per_page": 3, "total": KEYS, "total_pages": 3}
    assert len(body["data"]) == 1
    assert client.get("/api/v1/keys?per_page=3&page=4").json()["data"] == []


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("limit=%D9%A3", "limit"),
        ("limit=", "limit"),
        ("limit=1&limit=2", "limit"),
        ("page=1", "page"),
        ("cursor=junk", "cursor"),
        ("cursor=", "cursor"),
        ("cursor=%F0%9F%A6%89", "cursor"),
        ("ordering=digest", "ordering"),
        ("ordering=--created_at", "ordering"),
        ("unknown=1", "unknown"),
        ("created_at__gte=yesterday", "created_at__gte"),
        ("created_at__gte=%00", "created_at__gte"),
    ],
)
def test_invalid_parameter_is_named(client: APIClient, query: str, parameter: str) -> None:
    body = assert_problem(client.get(f"/api/v2/keys?{query}"), 400, "invalid_parameter")
    assert body["parameter"] == parameter
    assert body["errors"][0]["parameter"] == parameter


@pytest.mark.parametrize(
    "cursor",
    [
        Cursor("created_at", True, "2026-01-01T00:00:00+00:00", "x").encode(),
        Cursor("-created_at", True, "not a time", "018f0000-0000-7000-8000-000000000001").encode(),
        Cursor("-created_at", True, "2026-01-01T00:00:00+00:00", "not an id").encode(),
        Cursor("-digest", True, "a", "018f0000-0000-7000-8000-000000000001").encode(),
    ],
)
def test_forged_cursor_is_refused(client: APIClient, cursor: str) -> None:
    assert_problem(client.get(f"/api/v2/keys?cursor={cursor}"), 400, "invalid_parameter")


def test_time_filters_bound_the_list(client: APIClient) -> None:
    moment = (timezone.now() - timedelta(hours=2)).isoformat().replace("+00:00", "Z")
    newer = client.get("/api/v2/keys", {"created_at__gte": moment}).json()["data"]
    older = client.get("/api/v2/keys", {"created_at__lt": moment}).json()["data"]
    assert len(newer) + len(older) == KEYS
    assert all(row["created_at"] >= moment for row in newer)
    assert all(row["created_at"] < moment for row in older)


@pytest.mark.parametrize(
    "query",
    [
        "created_at__gte=0001-01-01T00:00:00%2B14:00",
        "created_at__lt=9999-12-31T23:59:59-14:00",
        "created_at__gte=",
        "ordering=",
        "format=json",
    ],
)
@pytest.mark.parametrize("version", [1, 2])
def test_refuses_values_that_are_invalid_for_every_list(client: APIClient, query: str, version: int) -> None:
    body = assert_problem(client.get(f"/api/v{version}/keys?{query}"), 400, "invalid_parameter")
    assert body["parameter"] == query.partition("=")[0]


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_refuses_a_forged_cursor_with_a_time_out_of_range(client: APIClient, moment: str) -> None:
    cursor = Cursor("-created_at", True, moment, "01a208b5-0000-0000-0000-000000000000").encode()
    body = assert_problem(client.get(f"/api/v2/keys?cursor={cursor}"), 400, "invalid_parameter")
    assert body["parameter"] == "cursor"
