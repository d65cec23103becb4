"""Permission matrix of the inbox endpoints."""

import pytest

from tests.factories import make_notification, make_user
from tests.permission_matrix import Access, check_access

pytestmark = pytest.mark.django_db
READ, WRITE = "notifications:read", "notifications:write"


def test_permissions_of_a_notification():
    alice = make_user("alice")
    row = make_notification(alice)
    access = Access("notification-detail", {"GET": READ, "PATCH": WRITE}, bodies={"PATCH": {"read": True}})
    check_access(access, owner=alice, row=row)


def test_permissions_of_the_inbox():
    check_access(Access("notification-list", {"GET": READ}))
    check_access(Access("notification-unread-count", {"GET": READ}))
    check_access(Access("notification-mark-all-read", {"POST": WRITE}))
    check_access(Access("notification-preferences", {"GET": READ, "PATCH": WRITE}))
