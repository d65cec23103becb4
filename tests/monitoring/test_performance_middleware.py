"""Every response has a `Server-Timing` header, and is counted by URL pattern with the same time."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from api.meta import MetaView
from core import request_timings
from monitoring.performance import middleware
from monitoring.performance.aggregates import RequestAggregate
from monitoring.performance.aggregator import RequestObservation
from monitoring.performance.monitor import monitor
from monitoring.performance.routes import name_of_pattern
from renders.waiting import polling
from tests.factories import make_api_key, make_edit, make_render, make_user

pytestmark = pytest.mark.django_db
TIMING = re.compile(r"^app;dur=(\d+)\.(\d{3})$")


@pytest.fixture
def observed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[RequestObservation, bool]]:
    found: list[tuple[RequestObservation, bool]] = []
    monkeypatch.setattr(monitor, "observe", lambda observation, *, is_slow: found.append((observation, is_slow)))
    return found


@pytest.fixture
def aggregates() -> Iterator[Any]:
    # Drops observations that earlier tests left unwritten.
    monitor._reset()
    yield lambda: {(p.route, p.method, p.status_class): c for p, c in monitor.snapshot().series.items()}
    monitor._reset()


@pytest.mark.parametrize(
    ("method", "path", "route", "status"),
    [
        ("GET", "/live", "/live", 200),
        ("GET", "/api/v2/meta", "/api/v2/meta", 200),
        ("GET", "/api/meta", "/api/v1/meta", 200),
        ("GET", "/api/v2/meta/", "/api/v2/meta", 200),
        ("GET", "/api/v2/renders/rnd_junk", "/api/v2/renders/{id}", 401),
        ("GET", "/api/v2/nothing/secret", "(unmatched)", 404),
        ("GET", "/api/v9/renders", "(unmatched)", 404),
        ("PURGE", "/api/v2/renders", "/api/v2/renders", 401),
        ("GET", "/nothing", "(unmatched)", 404),
        ("GET", "/static/api/icon.svg", "/static/{path}", 200),
        ("GET", "/", "/", 302),
        ("GET", "/admin/renders/render/", "/admin/renders/render/", 302),
        ("GET", "/problems/not-found", "/problems/{code}", 200),
    ],
)
def test_every_response_is_timed_and_counted_by_pattern(
    api: APIClient, observed: list[Any], method: str, path: str, route: str, status: int
) -> None:
    response = api.generic(method, path)
    assert response.status_code == status
    match = TIMING.match(response["Server-Timing"])
    assert match is not None
    ((observation, _),) = observed
    assert observation.took_us == int(match[1]) * 1000 + int(match[2])
    assert (observation.route, observation.status) == (route, status)
    assert observation.method == (method if method != "PURGE" else "OTHER")
    assert observation.request_id == response["X-Request-Id"]
    response.close()
    if not response.streaming and "Content-Length" in response:
        assert observation.size_bytes == len(response.content)


def test_an_unhandled_failure_is_timed_and_counted(monkeypatch: pytest.MonkeyPatch, aggregates: Any) -> None:
    monkeypatch.setattr("api.meta.MetaView.get", lambda *args, **kwargs: 1 / 0)
    response = APIClient(raise_request_exception=False).get("/api/v2/meta")
    assert response.status_code == 500
    assert TIMING.match(response["Server-Timing"])
    found: RequestAggregate = aggregates()["/api/v2/meta", "GET", 5]
    assert found.count == 1


def test_database_time_is_measured(api: APIClient, observed: list[Any]) -> None:
    alice = make_user()
    make_render(alice)
    api.credentials(HTTP_X_API_KEY=make_api_key(alice))
    api.get("/api/v2/renders")
    timings = observed[0][0].timings
    assert timings.queries >= 2
    assert len(timings.statements) == timings.queries
    assert 0 < timings.sql_ns // 1000 <= observed[0][0].took_us
    assert any("renders_render" in sql for sql, _ in timings.statements)


def test_statements_outside_requests_are_not_recorded() -> None:
    assert request_timings.current.get() is None
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    with request_timings.timed_cache(), request_timings.timed_client_wait():
        pass
    assert request_timings.current.get() is None


def test_a_wait_that_the_client_requested_is_not_counted(
    monkeypatch: pytest.MonkeyPatch, api, observed: list[Any]
) -> None:
    now = [0]
    monkeypatch.setattr(middleware, "_now", lambda: now[0])
    monkeypatch.setattr(request_timings.time, "perf_counter_ns", lambda: now[0])

    original = MetaView.get

    def wait_and_work(*args: Any, **kwargs: Any) -> Any:
        with request_timings.timed_client_wait():
            now[0] += 20_000_000_000
        with request_timings.timed_cache():
            now[0] += 2_000_000
        now[0] += 1_000_000
        return original(*args, **kwargs)

    monkeypatch.setattr(MetaView, "get", wait_and_work)
    response = api.get("/api/v2/meta")
    assert response["Server-Timing"] == "app;dur=3.000"
    ((observation, is_slow),) = observed
    assert (observation.took_us, observation.timings.cache_ns, is_slow) == (3000, 2_000_000, False)


def test_slow_requests_are_logged_without_secrets(
    monkeypatch: pytest.MonkeyPatch, api: APIClient, caplog: pytest.LogCaptureFixture, aggregates: Any
) -> None:
    now = iter([0, 1_500_000_000])
    monkeypatch.setattr(middleware, "_now", lambda: next(now))
    with caplog.at_level(logging.WARNING, logger="monitoring.performance.middleware"):
        response = api.get("/problems/not-found?token=hush")
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert (record.route, record.ms, record.method) == ("/problems/{code}", 1500, "GET")
    assert record.request.request_id == response["X-Request-Id"]
    assert "hush" not in record.getMessage()
    assert aggregates()["/problems/{code}", "GET", 2].slow_count == 1


def test_patterns_are_written_with_braces() -> None:
    assert name_of_pattern("api/v2/renders/<str:id>/log") == "/api/v2/renders/{id}/log"
    assert name_of_pattern("docs/migrate-v<int:version>") == "/docs/migrate-v{version}"
    assert name_of_pattern("admin/(?P<url>.*)$") == "/admin/{url}"
    assert name_of_pattern("^media/(?P<path>[^/]+)$") == "/media/{path}"


def test_a_long_poll_is_not_a_slow_request(
    monkeypatch: pytest.MonkeyPatch, api: APIClient, observed: list[Any]
) -> None:
    now = [0]
    monkeypatch.setattr(middleware, "_now", lambda: now[0])
    monkeypatch.setattr(request_timings.time, "perf_counter_ns", lambda: now[0])
    monkeypatch.setattr(polling, "time", SimpleNamespace(monotonic=lambda: now[0] / 1e9))

    class Sleeper:
        """A watcher whose wait advances the clock by the whole timeout."""

        def wait(self, timeout_s: float) -> None:
            now[0] += int(timeout_s * 1_000_000_000)

    watching = SimpleNamespace(watching=lambda render_id: nullcontext(Sleeper()))
    monkeypatch.setattr(polling, "watcher", lambda: watching)
    alice = make_user()
    api.credentials(HTTP_X_API_KEY=make_api_key(alice))
    render = make_render(alice)
    response = api.get(f"/api/v2/renders/{render.public_id}?wait=25")
    assert (response.status_code, now[0]) == (200, 25_000_000_000)
    response = api.post("/api/v2/renders", {"edit": make_edit()}, headers={"Prefer": "wait=20"})
    assert (response.status_code, now[0]) == (202, 45_000_000_000)
    waited = [(each.timings.waited_ns, each.took_us, is_slow) for each, is_slow in observed]
    assert waited == [(25_000_000_000, 0, False), (20_000_000_000, 0, False)]


def test_response_cache_time_is_measured(api: APIClient, observed: list[Any], settings: Any, tmp_path: Any) -> None:
    settings.RENDEROWL_RESPONSE_CACHE = True
    settings.RENDEROWL_CACHE_URL = f"sqlite:///{tmp_path}/cache.sqlite3"
    api.credentials(HTTP_X_API_KEY=make_api_key(make_user()))
    for outcome in ("MISS", "HIT"):
        assert api.get("/api/v2/renders")["X-Cache"] == outcome
    for observation, _ in observed:
        assert 0 < observation.timings.cache_ns // 1000 <= observation.took_us


def test_waiting_requests_bypass_the_response_cache(api: APIClient, settings: Any, tmp_path: Any) -> None:
    settings.RENDEROWL_RESPONSE_CACHE = True
    settings.RENDEROWL_CACHE_URL = f"sqlite:///{tmp_path}/cache.sqlite3"
    alice = make_user()
    api.credentials(HTTP_X_API_KEY=make_api_key(alice))
    path = f"/api/v2/renders/{make_render(alice, status='succeeded').public_id}"
    for address in (path, f"{path}?wait=0", f"{path}?wait=1", f"{path}/events"):
        for _ in range(2):
            response = api.get(address)
            assert (response.status_code, response.get("X-Cache", "BYPASS")) == (200, "BYPASS"), address
            body = b"".join(response.streaming_content) if response.streaming else response.content
            # Not closed: the test client closed it at its end, and a second close would close the test's connection.
            assert b"succeeded" in body
    assert "no-store" in response["Cache-Control"]
