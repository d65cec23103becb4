"""What every test starts from."""

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

# Renders would wait for all other tests, where these take all the time that processors have.
os.environ.setdefault("RENDER_NICENESS", "0")


def pytest_configure(config: pytest.Config) -> None:
    """Make what all test processes share, in the first of them."""
    if not hasattr(config, "workerinput"):
        migrated_databases.begin()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Take that away again."""
    if not hasattr(config, "workerinput"):
        migrated_databases.end()


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


class FileScheduling(LoadFileScheduling):  # type: ignore[misc]
    """Gives each file to one process, which makes its servers, videos and databases once.

    On PostgreSQL the races, which take turns, all to one.
    """

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return "races" if connection.vendor == "postgresql" and file.endswith("races.py") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FileScheduling:
    """Have xdist distribute the tests so."""
    return FileScheduling(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take long, so that no process is left with one when the others have finished."""
    slow = {item.path for item in items if item.get_closest_marker("acceptance") or item.path.name.endswith("races.py")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown() -> None:
    """End the thread that watches renders while the test's database can still be read.

    A streamed answer that a test neither reads to its end nor closes would keep it at work.
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
    """Traces on, kept in memory; asked, it gives the spans that have ended, in that order."""
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
    """Limits switched on, with a store of this test's own."""
    settings.RENDEROWL_RATE_LIMITS = True
    settings.RENDEROWL_CACHE_URL = f"sqlite:///{tmp_path}/cache.sqlite3"
    found = limiter()
    assert found is not None
    return found
