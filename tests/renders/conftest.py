"""Fixtures of the renders tests: a storage for each test, an account and its client."""

from __future__ import annotations

from pathlib import Path

import pytest
from rest_framework.test import APIClient

from tests.factories import make_api_key, make_user


@pytest.fixture(autouse=True)
def media_root(settings, tmp_path) -> Path:
    """The folder of stored files; its parent is DATA_DIR."""
    root = tmp_path / "data" / "media"
    settings.DATA_DIR = root.parent
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "files.storage.local.LocalStorage", "OPTIONS": {"location": str(root)}},
    }
    return root


@pytest.fixture
def alice(db):
    """The owner of the objects under test."""
    return make_user("alice")


@pytest.fixture
def client(alice) -> APIClient:
    """A client with an API key of Alice for all scopes."""
    return APIClient(headers={"X-API-Key": make_api_key(alice)})
