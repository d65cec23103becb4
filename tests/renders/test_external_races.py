"""Fifty concurrent requests: no render goes to two workers, no report counts twice."""

import pytest

from tests.races.fixtures import race  # noqa: F401 - a fixture

pytestmark = [pytest.mark.acceptance, pytest.mark.django_db(transaction=True)]


def test_ten_renders_go_to_ten_of_fifty_workers(race):  # noqa: F811
    assert race("renders.claim_external") == {
        "nothing": 40,
        "all_given": True,
        "most_to_one_render": 1,
        "leases": 10,
        "running": 10,
    }


def test_success_counts_once_among_progress(race):  # noqa: F811
    assert race("renders.report_external_success") == {
        "successes": 1,
        "ended_by": 1,
        "duplicates": 24,
        "progress": 25,
        "status": "succeeded",
        "job": "succeeded",
        "messages": 26,
        "settled": {"grant": 1, "reserve": 1, "settle": 1},
    }
