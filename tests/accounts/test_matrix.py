"""The permission matrix itself: it must notice what it is there to notice."""

import pytest

from accounts.models import ApiKeyQuerySet
from accounts.views import KeyViewSet
from api.endpoints import Endpoint
from tests.factories import make_minted_key, make_user
from tests.permission_matrix import ANY, Access, check_access

pytestmark = pytest.mark.django_db

KEY = Access("key-detail", {"GET": "keys:read", "PATCH": "keys:write", "DELETE": "keys:write"})


def test_notices_a_scope_that_is_not_asked_for():
    with pytest.raises(AssertionError):
        check_access(Access("me", {"GET": "renders:read"}))


def test_notices_another_scope_than_the_one_named():
    with pytest.raises(AssertionError):
        check_access(Access("credit-balance", {"GET": "renders:read"}))


def test_notices_a_method_that_nobody_named():
    with pytest.raises(AssertionError, match="has the methods"):
        check_access(Access("key-list", {"GET": "keys:read"}))


def test_notices_a_row_that_strangers_see(monkeypatch):
    monkeypatch.setattr(ApiKeyQuerySet, "for_owner", lambda self, user: self)
    alice = make_user("alice")
    with pytest.raises(AssertionError):
        check_access(KEY, owner=alice, row=make_minted_key(alice).key)


@pytest.mark.parametrize("action", ["retrieve", "partial_update", "destroy"])
def test_notices_an_action_that_any_credential_may_do(monkeypatch, action):
    monkeypatch.setattr(KeyViewSet, "endpoints", {**KeyViewSet.endpoints, action: Endpoint(ANY)})
    alice = make_user("alice")
    with pytest.raises(AssertionError):
        check_access(KEY, owner=alice, row=make_minted_key(alice).key)


def test_notices_a_route_that_does_not_exist():
    with pytest.raises(AssertionError, match="no version"):
        check_access(Access("no-such-route", {"GET": ANY}))
