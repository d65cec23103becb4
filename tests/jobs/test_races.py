"""Limits by key while many threads enqueue, claim and finish."""

import pytest

from tests.races.fixtures import race  # noqa: F401 - a fixture

pytestmark = [pytest.mark.acceptance, pytest.mark.django_db(transaction=True)]


def test_the_limit_holds_and_all_jobs_run(race):  # noqa: F811
    found = race("jobs.work_under_a_limit")
    assert 1 <= found.pop("most_at_work") <= 3
    assert found == {"failed": 0, "ended": 50, "statuses": ["succeeded"]}
