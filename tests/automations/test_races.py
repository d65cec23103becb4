"""Concurrent triggers: one run per trigger, one run per occurrence, never more than the limit."""

import pytest

from tests.races.fixtures import race  # noqa: F401 - a fixture

pytestmark = pytest.mark.acceptance


def test_twenty_requests_with_one_trigger_id_start_one_run(race):  # noqa: F811
    state = race("automations.fire_one_trigger")
    assert state == {"runs": 1, "jobs": 1, "new": 1, "others": {"known": 19}, "renders": 1}


def test_four_workers_start_one_run_per_occurrence(race):  # noqa: F811
    state = race("automations.tick_with_four_workers")
    assert state == {"started": 25, "runs": 25, "jobs": 25, "per_automation": [1], "still_due": 0}


def test_an_automations_limit_holds_against_twenty_requests(race):  # noqa: F811
    assert race("automations.trigger_up_to_a_limit") == {"outcomes": {"started": 7, "TooManyRuns": 13}, "runs": 7}


def test_an_accounts_limit_holds_against_twenty_requests(race):  # noqa: F811
    expected = {"outcomes": {"started": 7, "TooManyRuns": 13}, "runs": 7}
    assert race("automations.trigger_up_to_the_limit_of_an_account") == expected


def test_concurrent_triggers_of_all_types_do_not_deadlock(race):  # noqa: F811
    assert race("automations.events_beside_occurrences") == {"started": 8 + 4 + 4 * 8, "runs": 8 + 4 + 4 * 8}
