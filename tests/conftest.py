"""What every test starts from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from core.ratelimit.limiter import Limiter, limiter


@pytest.fixture(scope="session", autouse=True)
def _let_the_test_database_go(request: pytest.FixtureRequest) -> Iterator[None]:
    """Close what threads of live servers left open: PostgreSQL drops no database that somebody still has."""
    if connection.vendor != "postgresql":
        yield
        return
    blocker = request.getfixturevalue("django_db_blocker")
    request.getfixturevalue("django_db_setup")
    yield
    with blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.fixture
def api() -> APIClient:
    """A client without credentials."""
    return APIClient()


@pytest.fixture
def rate_limits(settings: Any, tmp_path: Path) -> Limiter:
    """Limits switched on, with a store of this test's own."""
    settings.RENDEROWL_RATE_LIMITS = True
    settings.RENDEROWL_CACHE_URL = f"sqlite:///{tmp_path}/cache.sqlite3"
    found = limiter()
    assert found is not None
    return found
