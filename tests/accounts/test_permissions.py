"""Permissions of the identity endpoints."""

import pytest

from tests.factories import make_minted_key, make_user
from tests.permission_matrix import ANY, Access, check_access

pytestmark = pytest.mark.django_db


def test_me_needs_a_credential_and_no_scope():
    check_access(Access("me", {"GET": ANY}))


def test_listing_and_creating_keys_need_scopes():
    check_access(Access("key-list", {"GET": "keys:read", "POST": "keys:write"}))


def test_a_key_belongs_to_its_owner():
    alice = make_user("alice")
    check_access(
        Access("key-detail", {"GET": "keys:read", "PATCH": "keys:write", "DELETE": "keys:write"}),
        owner=alice,
        row=make_minted_key(alice).key,
    )


def test_only_its_owner_rotates_a_key():
    alice = make_user("alice")
    check_access(Access("key-rotate", {"POST": "keys:write"}), owner=alice, row=make_minted_key(alice).key)
