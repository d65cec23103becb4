"""What every test starts from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from core.ratelimit.limiter import Limiter, limiter


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
