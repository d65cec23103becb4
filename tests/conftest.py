"""Hooks and fixtures of all tests."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient
from xdist.scheduler import LoadFileScheduling

from api.ratelimit.limiter import Limiter, limiter
from renders.waiting.watcher import watcher
from tests import migrated_databases

# At the default niceness renders would starve while other tests use all processors.
os.environ.setdefault("RENDER_NICENESS", "0")


def pytest_configure(config: pytest.Config) -> None:
    """Set up what all test processes share, in the controller process."""
    if not hasattr(config, "workerinput"):
        migrated_databases.begin()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what the test processes shared."""
    if not hasattr(config, "workerinput"):
        migrated_databases.end()


@pytest.fixture(scope="session", autouse=True)
def _close_test_database_connections(request: pytest.FixtureRequest) -> Iterator[None]:
    """Close connections left open by live server threads, or PostgreSQL could not drop the database."""
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


class FileScheduling(LoadFileScheduling):  # type: ignore[misc]
    """Runs each file in one process, so that its servers, videos and databases are created once.

    On PostgreSQL all races, which run one at a time, share a process.
    """

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return "races" if connection.vendor == "postgresql" and file.endswith("races.py") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FileScheduling:
    """Make xdist use FileScheduling."""
    return FileScheduling(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run slow files first, so that no process still runs one when the others have finished."""
    slow = {item.path for item in items if item.get_closest_marker("acceptance") or item.path.name.endswith("races.py")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown() -> None:
    """Stop the thread that watches renders while the test's database still exists.

    A streaming response that a test neither reads nor closes would keep it running.
    """
    for thread in threading.enumerate():
        if thread.name == "render-watcher":
            watcher()._subscriptions.clear()
            thread.join(10)


@pytest.fixture
def api() -> APIClient:
    """A client without credentials."""
    return APIClient()


@pytest.fixture
def traces() -> Iterator[Callable[[], list[Any]]]:
    """Enables tracing in memory; returns a function that lists the ended spans in order."""
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from core import tracing
    from core.tracing.sdk import Provider

    exporter = InMemorySpanExporter()
    provider = Provider(exporter, role="test", token="test")
    tracing.install(provider)

    def ended() -> list[Any]:
        assert provider.force_flush()
        return list(exporter.get_finished_spans())

    yield ended
    tracing.stop()


@pytest.fixture
def rate_limits(settings: Any, tmp_path: Path) -> Limiter:
    """Enables rate limits, with a store of this test."""
    settings.RENDEROWL_RATE_LIMITS = True
    settings.RENDEROWL_CACHE_URL = f"sqlite:///{tmp_path}/cache.sqlite3"
    found = limiter()
    assert found is not None
    return found
