"""Fixtures of the automations tests."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from tests.factories import make_api_key, make_user


@pytest.fixture
def alice() -> User:
    """The owner of the automations."""
    return make_user("alice")


@pytest.fixture
def client_of_alice(alice: User) -> APIClient:
    """A client with Alice's API key."""
    return APIClient(headers={"X-API-Key": make_api_key(alice)})
