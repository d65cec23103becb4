"""Permissions of the credits endpoints."""

import pytest

from tests.permission_matrix import Access, check_access

pytestmark = pytest.mark.django_db


def test_the_balance_needs_its_scope():
    check_access(Access("credit-balance", {"GET": "credits:read"}))


def test_the_entries_need_their_scope():
    check_access(Access("credit-entry-list", {"GET": "credits:read"}))
