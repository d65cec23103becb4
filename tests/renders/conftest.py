"""A storage of its own for each test, and who asks."""

from __future__ import annotations

from pathlib import Path

import pytest
from rest_framework.test import APIClient

from tests.factories import make_api_key, make_user


@pytest.fixture(autouse=True)
def media_root(settings, tmp_path) -> Path:
    """The folder that files are stored in; DATA_DIR is its parent."""
    root = tmp_path / "data" / "media"
    settings.DATA_DIR = root.parent
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "files.storage.local.LocalStorage", "OPTIONS": {"location": str(root)}},
    }
    return root


@pytest.fixture
def alice(db):
    """The owner of what the tests make."""
    return make_user("alice")


@pytest.fixture
def client(alice) -> APIClient:
    """Alice's client, with a key for everything."""
    return APIClient(headers={"X-API-Key": make_api_key(alice)})
