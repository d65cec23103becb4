"""Concurrent ends of the renders of a batch: each is counted once, and completion is published once."""

import pytest

from tests.races.fixtures import race  # noqa: F401 - a fixture

pytestmark = [pytest.mark.acceptance, pytest.mark.django_db(transaction=True)]


def test_completion_is_published_once_however_many_end_at_once(race):  # noqa: F811
    found = race("renders.end_all_renders_of_a_batch")
    assert found == {
        "failures": 0,
        "told": 1,
        "status": "completed",
        "counted": True,
        "event": True,
        "ended": 40,
        "jobs_left": 0,
        "balance": 2000,
        "reserved": 0,
        "faults": 0,
    }
