"""Permission matrix of the analytics endpoints."""

import pytest

from tests.permission_matrix import Access, check_access

pytestmark = pytest.mark.django_db


def test_renders_need_their_scope() -> None:
    check_access(Access("analytics-renders", {"GET": "analytics:read"}))


def test_usage_needs_its_scope() -> None:
    check_access(Access("analytics-usage", {"GET": "analytics:read"}))


def test_errors_need_their_scope() -> None:
    check_access(Access("analytics-errors", {"GET": "analytics:read"}))
