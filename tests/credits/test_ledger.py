"""Reserve, settle, refund, grant, adjust: each once, and the balance is always the sum of the entries."""

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.models import AuditEntry, User
from core.append_only import AppendOnlyError
from credits import services
from credits.exceptions import InsufficientCredits, NoReservation, ReferenceReused, ReservationClosed
from credits.models import CreditAccount, CreditEntry
from credits.selectors import Balance, balance_of, check_ledger
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    """A user with the 10 signup credits."""
    return make_user("alice")


@pytest.fixture(autouse=True)
def _ledger_is_consistent(db):
    yield
    assert list(check_ledger()) == []


def movements(user):
    rows = CreditEntry.objects.filter(user=user).order_by("created_at", "pk")
    return [(row.kind, row.amount, row.balance_after) for row in rows]


def test_a_new_user_gets_the_signup_credits_once(alice):
    services.open_account(user_id=alice.pk)
    assert movements(alice) == [("grant", 1000, 1000)]
    assert balance_of(alice.pk) == Balance(available=1000, reserved=0)


def test_the_signup_credits_follow_the_setting(settings):
    settings.RENDEROWL_SIGNUP_CREDITS = 0
    assert movements(make_user()) == []
    settings.RENDEROWL_SIGNUP_CREDITS = 3
    assert movements(make_user()) == [("grant", 300, 300)]


def test_a_user_created_without_an_event_gets_the_signup_credits():
    user = User.objects.create_superuser("root", password="x")
    services.reserve(user_id=user.pk, amount=100, reference="render:1")
    assert movements(user) == [("grant", 1000, 1000), ("reserve", -100, 900)]


def test_reserving_reduces_the_balance(alice):
    services.reserve(user_id=alice.pk, amount=20, reference="render:1")
    assert balance_of(alice.pk) == Balance(available=980, reserved=20)


def test_a_repeated_reservation_reserves_once(alice):
    first = services.reserve(user_id=alice.pk, amount=20, reference="render:1")
    second = services.reserve(user_id=alice.pk, amount=20, reference="render:1")
    assert first.pk == second.pk
    assert balance_of(alice.pk) == Balance(980, 20)


def test_a_repeated_reservation_needs_no_further_funds(alice):
    first = services.reserve(user_id=alice.pk, amount=1000, reference="render:1")
    assert services.reserve(user_id=alice.pk, amount=1000, reference="render:1").pk == first.pk


def test_refuses_a_reference_of_another_movement(alice):
    services.reserve(user_id=alice.pk, amount=20, reference="render:1")
    bob = make_user("bob")
    for user, amount in ((alice, 21), (bob, 20)):
        with pytest.raises(ReferenceReused):
            services.reserve(user_id=user.pk, amount=amount, reference="render:1")
    with pytest.raises(ReferenceReused):
        services.grant(user_id=alice.pk, amount=20, reference="render:1")
    assert balance_of(alice.pk) == Balance(980, 20)
    assert balance_of(bob.pk) == Balance(1000, 0)


def test_refuses_more_than_the_balance(alice):
    with pytest.raises(InsufficientCredits) as refusal:
        services.reserve(user_id=alice.pk, amount=1001, reference="render:1")
    assert (refusal.value.status, refusal.value.code) == (402, "insufficient_credits")
    assert refusal.value.members == {"required": "10.01", "balance": "10.00"}
    assert movements(alice) == [("grant", 1000, 1000)]


def test_the_whole_balance_may_be_spent(alice):
    services.reserve(user_id=alice.pk, amount=1000, reference="render:1")
    assert balance_of(alice.pk) == Balance(0, 1000)


@pytest.mark.parametrize("amount", [0, -1])
def test_refuses_to_reserve_or_grant_amounts_below_1(alice, amount):
    with pytest.raises(ValueError, match="positive"):
        services.reserve(user_id=alice.pk, amount=amount, reference="render:1")
    with pytest.raises(ValueError, match="positive"):
        services.grant(user_id=alice.pk, amount=amount, reference="gift:1")


@pytest.mark.parametrize(("charged", "back"), [(0, 20), (5, 15), (20, 0), (25, 0)])
def test_settling_charges_at_most_the_reservation(alice, charged, back):
    services.reserve(user_id=alice.pk, amount=20, reference="render:1")
    services.settle(reference="render:1", amount=charged)
    assert movements(alice)[1:] == [("reserve", -20, 980), ("settle", back, 980 + back)]
    assert balance_of(alice.pk) == Balance(980 + back, 0)


def test_refunding_returns_the_whole_reservation(alice):
    services.reserve(user_id=alice.pk, amount=20, reference="render:1")
    services.refund(reference="render:1")
    assert movements(alice)[1:] == [("reserve", -20, 980), ("refund", 20, 1000)]


def settle(amount=5):
    return services.settle(reference="render:1", amount=amount)


def refund():
    return services.refund(reference="render:1")


def test_a_reservation_closes_once(alice):
    for first, again, other in ((settle, settle, refund), (refund, refund, settle)):
        with transaction.atomic():
            services.reserve(user_id=alice.pk, amount=20, reference="render:1")
            closing = first()
            after = balance_of(alice.pk)
            assert again().pk == closing.pk
            with pytest.raises(ReservationClosed):
                other()
            assert balance_of(alice.pk) == after
            transaction.set_rollback(True)


def test_settling_again_with_another_amount_changes_nothing(alice):
    services.reserve(user_id=alice.pk, amount=20, reference="render:1")
    first = settle(5)
    assert settle(20).pk == first.pk
    assert balance_of(alice.pk) == Balance(995, 0)


def test_a_closed_reservation_is_not_reserved_again(alice):
    services.reserve(user_id=alice.pk, amount=20, reference="render:1")
    refund()
    services.reserve(user_id=alice.pk, amount=20, reference="render:1")
    assert balance_of(alice.pk) == Balance(1000, 0)


def test_closing_needs_a_reservation(alice):
    for close in (settle, refund):
        with pytest.raises(NoReservation):
            close()
    services.grant(user_id=alice.pk, amount=5, reference="render:1")
    with pytest.raises(NoReservation):
        refund()


def test_refuses_a_negative_charge(alice):
    services.reserve(user_id=alice.pk, amount=20, reference="render:1")
    with pytest.raises(ValueError, match="negative"):
        settle(-1)


def test_granting_twice_with_one_reference_grants_once(alice):
    staff = make_user("staff", is_staff=True)
    for _ in range(2):
        services.grant(user_id=alice.pk, amount=250, reference="gift:1", note="Sorry", actor=staff)
    assert movements(alice)[1:] == [("grant", 250, 1250)]
    audit = AuditEntry.objects.get(action="credits.grant")
    assert (audit.actor, audit.details["amount"]) == (staff, "2.50")


def test_adjusting_does_not_go_below_zero(alice):
    services.adjust(user_id=alice.pk, amount=-400, reference="fix:1", note="Paid twice")
    assert balance_of(alice.pk) == Balance(600, 0)
    with pytest.raises(InsufficientCredits):
        services.adjust(user_id=alice.pk, amount=-601, reference="fix:2", note="Too much")
    for amount, note in ((0, "x"), (5, "")):
        with pytest.raises(ValueError, match="reason"):
            services.adjust(user_id=alice.pk, amount=amount, reference="fix:3", note=note)


def test_a_failed_transaction_leaves_no_movement(alice):
    with pytest.raises(RuntimeError), transaction.atomic():
        services.reserve(user_id=alice.pk, amount=20, reference="render:1")
        raise RuntimeError
    assert movements(alice) == [("grant", 1000, 1000)]


def test_the_database_itself_refuses_a_negative_balance(alice):
    with pytest.raises(IntegrityError, match=r"credits_balance_not_negative|CHECK"), transaction.atomic():
        CreditAccount.objects.filter(user=alice).update(balance=-1)


def test_the_database_itself_refuses_a_reference_twice(alice):
    entry = CreditEntry.objects.get(user=alice)
    duplicate = CreditEntry(user=alice, kind="grant", amount=1, balance_after=1, reference=entry.reference)
    with pytest.raises(IntegrityError), transaction.atomic():
        duplicate.save()


def test_the_database_itself_refuses_to_close_twice(alice):
    reservation = services.reserve(user_id=alice.pk, amount=20, reference="render:1")
    refund()
    duplicate = CreditEntry(
        user=alice, kind="refund", amount=20, balance_after=1020, reference="other", reservation=reservation
    )
    with pytest.raises(IntegrityError), transaction.atomic():
        duplicate.save()


def test_entries_are_append_only(alice):
    entry = CreditEntry.objects.get(user=alice)
    entry.amount = 5
    for rewrite in (
        entry.save,
        entry.delete,
        lambda: CreditEntry.objects.update(amount=5),
        CreditEntry.objects.all().delete,
    ):
        with pytest.raises(AppendOnlyError):
            rewrite()
    assert CreditEntry.objects.get(user=alice).amount == 1000


def test_the_check_finds_a_balance_unlike_the_sum(alice):
    CreditAccount.objects.filter(user=alice).update(balance=999)
    mismatch = next(iter(check_ledger()))
    assert (mismatch.user_id, mismatch.balance, mismatch.sum_of_entries) == (alice.pk, 999, 1000)
    CreditAccount.objects.filter(user=alice).update(balance=1000)


def test_the_check_finds_entries_without_an_account(alice):
    with transaction.atomic():
        CreditAccount.objects.filter(user=alice).delete()
        assert [(mismatch.user_id, mismatch.sum_of_entries) for mismatch in check_ledger()] == [(alice.pk, 1000)]
        transaction.set_rollback(True)


def test_the_indexes_serve_their_queries(alice):
    newest = CreditEntry.objects.filter(user=alice).order_by("-created_at")[:25]
    of_kind = CreditEntry.objects.filter(user=alice, kind="reserve").order_by("-created_at")[:25]
    with transaction.atomic(), connection.cursor() as cursor:
        # Enough rows of other kinds for the two indexes to differ in cost; rolled back to keep the ledger consistent.
        CreditEntry.objects.bulk_create(
            CreditEntry(
                user=alice, kind="grant" if n % 100 else "reserve", amount=1, balance_after=n, reference=f"fill:{n}"
            )
            for n in range(2000)
        )
        if connection.vendor == "postgresql":
            cursor.execute("ANALYZE credits_creditentry")
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")
        assert "idx_credits_user_created" in newest.explain()
        assert "idx_credits_user_type" in of_kind.explain()
        transaction.set_rollback(True)
