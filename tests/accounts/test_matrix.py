"""The permission matrix detects missing checks."""

import pytest

from accounts.models import ApiKeyQuerySet
from accounts.views import KeyViewSet
from api.endpoints import Endpoint
from tests.factories import make_minted_key, make_user
from tests.permission_matrix import ANY, Access, check_access

pytestmark = pytest.mark.django_db

KEY = Access("key-detail", {"GET": "keys:read", "PATCH": "keys:write", "DELETE": "keys:write"})


def test_detects_a_scope_that_is_not_required():
    with pytest.raises(AssertionError):
        check_access(Access("me", {"GET": "renders:read"}))


def test_detects_a_different_scope():
    with pytest.raises(AssertionError):
        check_access(Access("credit-balance", {"GET": "renders:read"}))


def test_detects_an_unnamed_method():
    with pytest.raises(AssertionError, match="has the methods"):
        check_access(Access("key-list", {"GET": "keys:read"}))


def test_detects_a_row_visible_to_other_users(monkeypatch):
    monkeypatch.setattr(ApiKeyQuerySet, "for_owner", lambda self, user: self)
    alice = make_user("alice")
    with pytest.raises(AssertionError):
        check_access(KEY, owner=alice, row=make_minted_key(alice).key)


@pytest.mark.parametrize("action", ["retrieve", "partial_update", "destroy"])
def test_detects_an_action_without_a_scope(monkeypatch, action):
    monkeypatch.setattr(KeyViewSet, "endpoints", {**KeyViewSet.endpoints, action: Endpoint(ANY)})
    alice = make_user("alice")
    with pytest.raises(AssertionError):
        check_access(KEY, owner=alice, row=make_minted_key(alice).key)


def test_detects_an_unknown_route():
    with pytest.raises(AssertionError, match="no version"):
        check_access(Access("no-such-route", {"GET": ANY}))
