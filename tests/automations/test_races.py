"""Many at one time: one run a trigger, one run an occurrence, never more than the limit."""

import pytest

from tests.races.fixtures import race  # noqa: F401 - a fixture

pytestmark = pytest.mark.acceptance


def test_one_trigger_id_fired_by_twenty_is_one_run(race):  # noqa: F811
    state = race("automations.fire_one_trigger")
    assert state == {"runs": 1, "jobs": 1, "new": 1, "others": {"known": 19}, "renders": 1}


def test_one_occurrence_seen_by_four_workers_is_one_run(race):  # noqa: F811
    state = race("automations.tick_with_four_workers")
    assert state == {"started": 25, "runs": 25, "jobs": 25, "per_automation": [1], "still_due": 0}


def test_a_limit_holds_against_twenty(race):  # noqa: F811
    assert race("automations.trigger_up_to_a_limit") == {"outcomes": {"started": 7, "TooManyRuns": 13}, "runs": 7}


def test_the_limit_of_an_account_holds_against_twenty(race):  # noqa: F811
    expected = {"outcomes": {"started": 7, "TooManyRuns": 13}, "runs": 7}
    assert race("automations.trigger_up_to_the_limit_of_an_account") == expected


def test_triggers_of_all_kinds_at_one_time_do_not_wait_for_each_other(race):  # noqa: F811
    assert race("automations.events_beside_occurrences") == {"started": 8 + 4 + 4 * 8, "runs": 8 + 4 + 4 * 8}
