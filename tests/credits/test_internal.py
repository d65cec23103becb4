"""`/internal/credits/...`: responses and rows of the movements requested by services."""

from __future__ import annotations

import itertools

import pytest
from django.db import connection

from accounts.models import AuditEntry
from credits import services
from credits.models import CreditEntry
from credits.selectors import balance_of, check_ledger
from tests.api.test_problems import assert_problem
from tests.factories import make_minted_key, make_user
from tests.permission_matrix import Access, check_access

pytestmark = pytest.mark.django_db
_keys = itertools.count(1)


@pytest.fixture(autouse=True)
def _ledger_is_consistent(db):
    yield
    assert list(check_ledger()) == []


@pytest.fixture
def alice():
    """A user with the 10 signup credits."""
    return make_user("alice")


@pytest.fixture
def shop():
    return make_user("shop", granted_scopes=["internal:credits"])


@pytest.fixture
def send(api, shop):
    """Send a POST as the shop, by default with a new idempotency key."""
    api.credentials(HTTP_X_API_KEY=make_minted_key(shop, scopes=("internal:credits",)).plaintext)

    def post(what, key=None, **body):
        headers = {"Idempotency-Key": key or f'"{next(_keys)}"'}
        return api.post(f"/internal/credits/{what}", body, headers=headers)

    return post


def movements(user):
    rows = CreditEntry.objects.filter(user=user).exclude(reference__startswith="signup:").order_by("created_at", "pk")
    return [(row.kind, row.amount, row.balance_after, row.reference) for row in rows]


BODIES = {"POST": {"user": "mallory", "amount": "1.00", "reference": "r"}}


def test_permissions():
    check_access(Access("internal-credit-check", {"POST": "internal:credits"}, bodies=BODIES))
    check_access(Access("internal-credit-deduct", {"POST": "internal:credits"}, bodies=BODIES))
    check_access(Access("internal-credit-grant", {"POST": "internal:credits"}, bodies=BODIES))
    check_access(Access("internal-credit-refund", {"POST": "internal:credits"}, bodies=BODIES))


def test_staff_without_the_scope_are_refused(api, alice):
    boss = make_user(is_staff=True)
    api.credentials(HTTP_X_API_KEY=make_minted_key(boss, scopes=("*", "admin:*", "internal:credits")).plaintext)
    response = api.post("/internal/credits/grant", {"user": "alice", "amount": "1.00", "reference": "r"})
    assert_problem(response, 403, "missing_scope")
    assert movements(alice) == []


def test_check_moves_nothing(send, alice):
    body = send("check", user="alice", amount="10.00").json()
    assert body == {
        "object": "credit_check",
        "user": alice.public_id,
        "required": "10.00",
        "balance": "10.00",
        "sufficient": True,
    }
    assert send("check", user=alice.public_id, amount="10.01").json()["sufficient"] is False
    assert movements(alice) == []


@pytest.mark.parametrize("what", ["deduct", "grant", "refund"])
def test_movements_need_an_idempotency_key(send, api, alice, what):
    send("deduct", user="alice", amount="1.00", reference="d")
    body = {"user": "alice", "amount": "1.00", "reference": "r"} | ({"deduction": "d"} if what == "refund" else {})
    problem = assert_problem(api.post(f"/internal/credits/{what}", body), 400, "idempotency_key_required")
    assert problem["errors"][0]["header"] == "Idempotency-Key"
    assert len(movements(alice)) == 1


def test_check_needs_no_idempotency_key(send, api, alice):
    assert api.post("/internal/credits/check", {"user": "alice", "amount": "1"}).status_code == 200


def test_deduct(send, alice, shop):
    response = send("deduct", user="alice", amount="2.50", reference="order-7", note="Stock footage")
    assert response.status_code == 201
    body = response.json()
    entry = CreditEntry.objects.get(user=alice, kind="deduct")
    assert body == {
        "id": entry.public_id,
        "object": "credit_entry",
        "kind": "deduct",
        "amount": "-2.50",
        "balance_after": "7.50",
        "reference": "order-7",
        "note": "Stock footage",
        "created_at": body["created_at"],
        "user": alice.public_id,
        "deduction": None,
    }
    assert movements(alice) == [("deduct", -250, 750, "internal:order-7")]
    assert entry.actor == shop
    audit = AuditEntry.objects.get(subject=entry.public_id)
    assert (audit.action, audit.actor, audit.details["amount"]) == ("credits.deduct", shop, "-2.50")


def test_the_owner_sees_the_deduction(send, api, alice):
    send("deduct", user="alice", amount="2.50", reference="order-7", note="Stock footage")
    api.credentials(HTTP_X_API_KEY=make_minted_key(alice).plaintext)
    row = api.get("/api/v2/credits/entries?kind=deduct").json()["data"][0]
    assert (row["kind"], row["amount"], row["note"]) == ("deduct", "-2.50", "Stock footage")


def test_deduct_never_goes_below_zero(send, alice):
    problem = assert_problem(send("deduct", user="alice", amount="10.01", reference="r"), 402, "insufficient_credits")
    assert (problem["required"], problem["balance"]) == ("10.01", "10.00")
    assert movements(alice) == []
    assert send("deduct", user="alice", amount="10.00", reference="r").json()["balance_after"] == "0.00"


def test_a_refusal_is_stored_under_its_key(send, alice):
    first = send("deduct", key="k1", user="alice", amount="10.01", reference="r")
    services.grant(user_id=alice.pk, amount=100, reference="gift")
    again = send("deduct", key="k1", user="alice", amount="10.01", reference="r")
    assert (again.status_code, again.content) == (402, first.content)
    assert again["Idempotent-Replayed"] == "true"
    assert send("deduct", key="k2", user="alice", amount="10.01", reference="r").status_code == 201


def test_a_repeat_with_the_same_key_gets_the_same_response(send, alice):
    first = send("deduct", key="k1", user="alice", amount="1.00", reference="r")
    again = send("deduct", key="k1", user="alice", amount="1.00", reference="r")
    assert (again.status_code, again.content, again["Idempotent-Replayed"]) == (201, first.content, "true")
    assert len(movements(alice)) == 1
    assert_problem(send("deduct", key="k1", user="alice", amount="2.00", reference="r2"), 422, "idempotency_mismatch")


@pytest.mark.parametrize("what", ["deduct", "grant"])
def test_a_reference_moves_credits_once_whatever_the_key(send, alice, what):
    first = send(what, user="alice", amount="1.00", reference="r")
    again = send(what, user="alice", amount="1.00", reference="r")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert len(movements(alice)) == 1
    assert AuditEntry.objects.filter(action=f"credits.{what}").count() == 1


def test_a_reference_of_another_movement_is_a_conflict(send, alice):
    make_user("bob")
    send("deduct", user="alice", amount="1.00", reference="r")
    for what, user, amount in (("deduct", "alice", "2.00"), ("deduct", "bob", "1.00"), ("grant", "alice", "1.00")):
        assert_problem(send(what, user=user, amount=amount, reference="r"), 409, "invalid_state")
    assert len(movements(alice)) == 1


def test_callers_cannot_use_internal_references(send, alice):
    services.reserve(user_id=alice.pk, amount=100, reference="render:1")
    assert send("grant", user="alice", amount="0.50", reference="render:1/closed").status_code == 201
    services.refund(reference="render:1")
    assert balance_of(alice.pk).available == 1050
    assert_problem(send("refund", user="alice", deduction="render:1", reference="x"), 404, "not_found")


def test_grant(send, alice):
    response = send("grant", user=alice.public_id, amount="5", reference="purchase-1")
    assert response.status_code == 201
    assert (response.json()["amount"], response.json()["balance_after"]) == ("5.00", "15.00")
    assert movements(alice) == [("grant", 500, 1500, "internal:purchase-1")]


def test_refund_in_parts_and_never_more_than_was_deducted(send, alice):
    send("deduct", user="alice", amount="3.00", reference="order")
    first = send("refund", user="alice", deduction="order", amount="1.00", reference="back-1")
    assert first.status_code == 201
    assert (first.json()["kind"], first.json()["amount"], first.json()["deduction"]) == ("refund", "1.00", "order")
    problem = assert_problem(
        send("refund", user="alice", deduction="order", amount="2.01", reference="back-2"), 409, "invalid_state"
    )
    assert (problem["deducted"], problem["refunded"]) == ("3.00", "1.00")
    rest = send("refund", user="alice", deduction="order", reference="back-3").json()
    assert (rest["amount"], rest["balance_after"]) == ("2.00", "10.00")
    assert_problem(send("refund", user="alice", deduction="order", reference="back-4"), 409, "invalid_state")
    assert movements(alice) == [
        ("deduct", -300, 700, "internal:order"),
        ("refund", 100, 800, "internal:back-1"),
        ("refund", 200, 1000, "internal:back-3"),
    ]
    assert AuditEntry.objects.filter(action="credits.refund").count() == 2


def test_a_repeated_refund_returns_the_first(send, alice):
    send("deduct", user="alice", amount="3.00", reference="order")
    first = send("refund", user="alice", deduction="order", reference="back")
    again = send("refund", user="alice", deduction="order", reference="back")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    other = send("refund", user="alice", deduction="order", amount="1.00", reference="back")
    assert_problem(other, 409, "invalid_state")
    assert balance_of(alice.pk).available == 1000


def test_only_a_deduction_of_this_account_is_refunded(send, alice):
    make_user("bob")
    send("deduct", user="alice", amount="3.00", reference="order")
    send("grant", user="alice", amount="3.00", reference="gift")
    for user, deduction in (("bob", "order"), ("alice", "gift"), ("alice", "nothing")):
        assert_problem(send("refund", user=user, deduction=deduction, reference="back"), 404, "not_found")
    assert len(movements(alice)) == 2


def test_an_unknown_account_is_not_found(send):
    for user in ("mallory", "usr_" + "0" * 26, "\x00"):
        assert send("deduct", user=user, amount="1.00", reference="r").status_code in (404, 422)
    assert_problem(send("check", user="mallory", amount="1.00"), 404, "not_found")


@pytest.mark.parametrize(
    "amount", [1, 1.5, "0", "0.00", "-1.00", "1.001", "1e3", "NaN", " 1", "1 ", "\u0661", "9" * 13, None, "", True]
)
def test_refuses_invalid_amounts(send, alice, amount):
    problem = assert_problem(send("grant", user="alice", amount=amount, reference="r"), 422, "validation_error")
    assert problem["errors"][0]["pointer"] == "/amount"
    assert movements(alice) == []


@pytest.mark.parametrize("reference", ["", "a b", "ä", "x" * 181, "line\n", None])
def test_refuses_invalid_references(send, alice, reference):
    problem = assert_problem(send("grant", user="alice", amount="1.00", reference=reference), 422, "validation_error")
    assert problem["errors"][0]["pointer"] == "/reference"
    assert movements(alice) == []


def test_refuses_unknown_members(send, alice):
    problem = assert_problem(send("grant", user="alice", amount="1", reference="r", x=1), 422, "validation_error")
    assert problem["errors"][0]["pointer"] == "/x"


def test_services_have_a_separate_rate_limit(send, rate_limits, alice):
    response = send("check", user="alice", amount="1.00")
    assert response["RateLimit-Policy"] == '"key";q=6000;w=60'


def test_refunds_of_a_deduction_use_the_index(alice):
    deduction = services.deduct(user_id=alice.pk, amount=900, reference="order").entry
    for number in range(300):
        services.grant(user_id=alice.pk, amount=1, reference=f"gift:{number}")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE credits_creditentry")
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
    assert "idx_credits_deduction" in deduction.refunds.all().explain()
