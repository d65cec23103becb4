"""Fixtures of several files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from accounts import services
from core import middleware
from tests.core.front_kit import World, store
from tests.factories import make_minted_key, make_project, make_render, make_user

NOON_US = 1_800_000_000_000_000


@pytest.fixture
def world(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """An account with a key and three renders, and the clock of the limits stopped."""
    settings.RENDEROWL_ANSWER_CACHE = settings.RENDEROWL_RATE_LIMITS = True
    settings.RENDEROWL_CACHE_URL = f"sqlite:///{tmp_path}/cache.sqlite3"
    monkeypatch.setattr(store(), "_clock_us", lambda: NOON_US)
    # Between requests a server lets a connection go that is in the middle of something: here that is the test's own.
    monkeypatch.setattr(connections["default"], "close_if_unusable_or_obsolete", lambda: None)
    # What the door says is compared with what views say, not with their own short way.
    monkeypatch.setattr(middleware, "answer_early", lambda request: None)
    alice = make_user("alice")
    minted = make_minted_key(alice)
    project = make_project(alice)
    renders = [make_render(alice, project=project, status="succeeded", poster_key="a/p.jpg") for _ in range(3)]
    services.note_key_use(key=minted.key)
    return World(alice, minted.plaintext, minted.key, renders[0])
