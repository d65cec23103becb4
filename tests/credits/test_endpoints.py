"""`/credits/balance` and `/credits/entries`."""

import pytest

from accounts.models import User
from credits import services
from tests.factories import make_api_key, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return make_user("alice")


@pytest.fixture
def as_alice(api, alice):
    api.credentials(HTTP_X_API_KEY=make_api_key(alice))
    return api


def test_the_balance_is_a_decimal_string(as_alice, alice):
    services.reserve(user_id=alice.pk, amount=20, reference="render:1")
    response = as_alice.get("/api/v2/credits/balance")
    assert response.json() == {"object": "credit_balance", "balance": "9.80", "reserved": "0.20"}


def test_a_user_without_an_account_gets_the_signup_credits(api):
    user = User.objects.create_user("quiet")
    api.credentials(HTTP_X_API_KEY=make_api_key(user))
    assert api.get("/api/v2/credits/balance").json()["balance"] == "10.00"


def test_entries_are_listed_newest_first(as_alice, alice):
    make_user("bob")
    services.reserve(user_id=alice.pk, amount=20, reference="render:1")
    services.settle(reference="render:1", amount=5)
    body = as_alice.get("/api/v2/credits/entries").json()
    entries = [(row["kind"], row["amount"], row["balance_after"]) for row in body["data"]]
    assert entries == [("settle", "0.15", "9.95"), ("reserve", "-0.20", "9.80"), ("grant", "10.00", "10.00")]
    row = body["data"][0]
    assert row["id"].startswith("cre_")
    assert row["created_at"].endswith("Z")
    assert set(row) == {
        "id", "object", "kind", "amount", "balance_after", "reference", "note", "created_at",
    }  # fmt: skip


def test_version_1_has_numbered_pages(as_alice):
    body = as_alice.get("/api/v1/credits/entries").json()
    assert body["pagination"] == {"page": 1, "per_page": 25, "total": 1, "total_pages": 1}


def test_pages_have_no_gaps_or_overlaps(as_alice, alice):
    for number in range(7):
        services.grant(user_id=alice.pk, amount=number + 1, reference=f"gift:{number}")
    seen, cursor = [], ""
    while True:
        body = as_alice.get(f"/api/v2/credits/entries?limit=3{cursor}").json()
        seen += [row["reference"] for row in body["data"]]
        if not body["has_more"]:
            break
        cursor = f"&cursor={body['next_cursor']}"
    assert seen == [*(f"gift:{number}" for number in reversed(range(7))), f"signup:{alice.pk}"]


def test_filters_by_kind_and_time(as_alice, alice):
    services.reserve(user_id=alice.pk, amount=20, reference="render:1")
    services.refund(reference="render:1")

    def kinds(query):
        return [row["kind"] for row in as_alice.get(f"/api/v2/credits/entries?{query}").json()["data"]]

    assert kinds("kind=reserve") == ["reserve"]
    assert kinds("kind=reserve,refund") == ["refund", "reserve"]
    assert kinds("created_at__gte=2100-01-01T00:00:00Z") == []
    assert kinds("created_at__lt=2100-01-01T00:00:00Z&kind=grant") == ["grant"]


@pytest.mark.parametrize("query", ["kind=gift", "created_at__gte=soon", "user=1", "limit=0", "ordering=amount"])
def test_refuses_unknown_filters(as_alice, query):
    response = as_alice.get(f"/api/v2/credits/entries?{query}")
    assert (response.status_code, response.json()["code"]) == (400, "invalid_parameter")


def test_entries_are_read_only(as_alice):
    for method in ("post", "put", "patch", "delete"):
        for path in ("balance", "entries"):
            assert getattr(as_alice, method)(f"/api/v2/credits/{path}").status_code == 405


def test_a_list_takes_two_queries_whatever_its_length(as_alice, alice, django_assert_num_queries):
    as_alice.get("/api/v2/credits/entries")
    for number in range(5):
        services.grant(user_id=alice.pk, amount=1, reference=f"gift:{number}")
        with django_assert_num_queries(2):
            as_alice.get("/api/v2/credits/entries")
