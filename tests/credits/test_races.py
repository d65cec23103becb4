"""50 concurrent calls: no credit is spent twice or lost."""

import pytest

from tests.races.fixtures import race  # noqa: F401 - a fixture

pytestmark = [pytest.mark.acceptance, pytest.mark.django_db(transaction=True)]


def test_ten_of_fifty_reservations_succeed_with_funds_for_ten(race):  # noqa: F811
    assert race("credits.reserve_with_funds_for_ten") == {
        "outcomes": {"reserved": 10, "InsufficientCredits": 40},
        "balance": 0,
        "reserved": 1000,
        "faults": 0,
        "kinds": {"grant": 1, "reserve": 10},
    }


def test_one_reference_reserves_once(race):  # noqa: F811
    assert race("credits.reserve_one_reference") == {
        "entries": 1,
        "balance": 0,
        "reserved": 1000,
        "faults": 0,
        "kinds": {"grant": 1, "reserve": 1},
    }


def test_a_reservation_is_either_settled_or_refunded(race):  # noqa: F811
    state = race("credits.close_one_reservation")
    assert state["faults"] == state["reserved"] == 0
    assert state["outcomes"]["ReservationClosed"] == 25
    if "settle" in state["outcomes"]:
        assert state["outcomes"]["settle"] == 25
        assert (state["balance"], state["kinds"]) == (960, {"grant": 1, "reserve": 1, "settle": 1})
    else:
        assert state["outcomes"]["refund"] == 25
        assert (state["balance"], state["kinds"]) == (1000, {"grant": 1, "reserve": 1, "refund": 1})


def test_an_account_opens_once(race):  # noqa: F811
    state = race("credits.open_one_account")
    assert (state["accounts"], state["balance"], state["kinds"]) == (1, 1000, {"grant": 1})


def test_ten_of_fifty_deductions_succeed_with_funds_for_ten(race):  # noqa: F811
    assert race("credits.deduct_over_http_with_funds_for_ten") == {
        "outcomes": {"201": 10, "402": 40},
        "balance": 0,
        "reserved": 0,
        "faults": 0,
        "kinds": {"grant": 1, "deduct": 10},
    }


def test_refunds_never_exceed_the_deduction(race):  # noqa: F811
    assert race("credits.refund_one_deduction") == {
        "outcomes": {"refunded": 5, "RefundTooLarge": 45},
        "balance": 1000,
        "reserved": 0,
        "faults": 0,
        "kinds": {"grant": 1, "deduct": 1, "refund": 5},
    }
