"""50 concurrent calls: limits hold, tokens work once."""

import pytest

from tests.races.fixtures import race  # noqa: F401 - a fixture

pytestmark = [pytest.mark.acceptance, pytest.mark.django_db(transaction=True)]


def test_the_limit_of_keys_holds(race):  # noqa: F811
    assert race("accounts.make_keys_up_to_the_limit") == {"outcomes": {"made": 5, "KeyLimitReached": 45}, "keys": 5}


def test_a_refresh_token_works_at_most_once(race):  # noqa: F811
    state = race("accounts.refresh_one_token")
    assert state["outcomes"] == {"refreshed": 1, "CredentialRevoked": 49}
    assert state["revoked"] == 2  # the token, and the session revoked by its reuse
