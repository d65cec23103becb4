"""Fixtures of the notification tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from tests.factories import make_api_key, make_user
from tests.notifications.receiver import Receiver


@pytest.fixture
def alice() -> User:
    """The owner of the inbox."""
    return make_user("alice", email="alice@owls.example")


@pytest.fixture
def client_of_alice(alice: User) -> APIClient:
    """An API client with a key of alice."""
    return APIClient(headers={"X-API-Key": make_api_key(alice)})


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    """A local receiver that the address check allows."""
    server = Receiver()
    settings.RENDEROWL_WEBHOOK_ALLOW_HOSTS = [("127.0.0.1", server.port)]
    yield server
    server.close()
