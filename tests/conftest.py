"""What every test starts from."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient


@pytest.fixture
def api() -> APIClient:
    """A client without credentials."""
    return APIClient()
