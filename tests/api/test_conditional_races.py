"""Fifty clients write with the same ETag: one succeeds, the others get 412."""

import pytest

from tests.races.fixtures import race  # noqa: F401 - a fixture

pytestmark = [pytest.mark.acceptance, pytest.mark.django_db(transaction=True)]


def test_one_of_many_writers_with_the_same_etag_succeeds(race):  # noqa: F811
    once = {"won": 1, "kept": True, "others": ["412 precondition_failed"]}
    assert race("api.write_with_one_tag") == {"templates": once, "projects": once}


def test_no_cached_response_is_older_than_an_acknowledged_change(race):  # noqa: F811
    expected = {"outcomes": {"wrote": 1, "0 stale": 4}, "read": True, "kept": True}
    assert race("api.read_while_writing") == expected
