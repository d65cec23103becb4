"""Fifty concurrent identical requests: one does the work."""

import pytest

from tests.races.fixtures import race  # noqa: F401 - a fixture

pytestmark = [pytest.mark.acceptance, pytest.mark.django_db(transaction=True)]


def test_fifty_identical_posts_make_one_render_and_one_debit(race):  # noqa: F811
    state = race("api.post_one_render")
    outcomes = state.pop("outcomes")
    assert outcomes.pop("created") == 1
    assert sum(outcomes.values()) == 49
    assert set(outcomes) <= {"replayed", "409 idempotency_in_progress 1"}
    assert state == {
        "after": "replayed",
        "bodies": 1,
        "renders": 1,
        "jobs": 1,
        "debits": 1,
        "keys": ["completed"],
        "balance": 999,
    }


def test_one_of_fifty_requests_takes_over_from_a_dead_owner(race):  # noqa: F811
    state = race("api.take_over_one_key")
    assert (state["created"], state["rows"]) == (1, 1)
    assert set(state["others"]) <= {"replayed", "IdempotencyInProgress"}
