"""`/internal/performance`: exact percentiles over all processes, windows, comparisons and access."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from monitoring.models import RouteMetric
from monitoring.performance import report, system
from monitoring.performance.monitor import Monitor
from monitoring.performance.windows import floor_to, week_before, window_before
from tests.factories import make_api_key, make_job, make_user
from tests.monitoring.helpers import Clock, make_monitor, observation
from tests.permission_matrix import Access, check_access

pytestmark = pytest.mark.django_db
ROUTES = "/internal/performance/routes"
MEMBERS = {
    *("route", "method", "count", "requests_per_minute", "error_rate", "cache_hit_rate", "p50_ms", "p95_ms", "p99_ms"),
    *("max_ms", "slow_count", "sql_ms_share", "slowest_request_ids", "previous"),
}


@pytest.fixture
def staff() -> APIClient:
    client = APIClient()
    client.credentials(HTTP_X_API_KEY=make_api_key(make_user(is_staff=True), scopes=("admin:*",)))
    return client


@pytest.fixture
def clock() -> Clock:
    return Clock(timezone.now().timestamp())


@pytest.fixture
def mine(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Monitor]:
    """The monitor of the process that handles the request."""
    monitor = make_monitor(clock)
    for module in (report, system):
        monkeypatch.setattr(module, "monitor", monitor)
    return monitor


def exact(values: list[int], share: float) -> float:
    return sorted(values)[math.ceil(share * len(values)) - 1] / 1000


def row_of(response: Any, route: str = "/api/v2/renders") -> dict[str, Any]:
    assert response.status_code == 200, response.content
    return next(row for row in response.json()["routes"] if row["route"] == route)


def test_percentiles_cover_all_processes_and_unwritten_requests(staff, clock: Clock, mine: Monitor) -> None:
    rng = random.Random(7)
    values = []
    # Three processes of different speeds: averaging their percentiles would be far off.
    for process, speed in ((make_monitor(clock), 6), (make_monitor(clock), 9), (mine, 12)):
        times_us = [int(rng.lognormvariate(speed, 0.5)) + 1 for _ in range(300)]
        values += times_us
        for number, took_us in enumerate(times_us):
            request = observation(took_us, request_id=f"{speed}-{number}", sql_ns=took_us * 250)
            process.observe(request, is_slow=took_us > 10**6)
            if process is not mine and number % 100 == 0:
                assert process.flush()
        if process is not mine:
            process.flush()
    row = row_of(staff.get(ROUTES))
    assert row["count"] == 900
    for name, share in (("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99)):
        assert row[name] == pytest.approx(exact(values, share), rel=0.0101), name
    assert row["max_ms"] == max(values) / 1000
    assert row["slow_count"] == sum(value > 10**6 for value in values)
    assert row["sql_ms_share"] == pytest.approx(0.25, abs=0.01)
    assert all(name.startswith("12-") for name in row["slowest_request_ids"])
    assert len(row["slowest_request_ids"]) == 3


def test_the_response_has_the_documented_members(staff, mine: Monitor) -> None:
    mine.observe(observation(1000), is_slow=False)
    body = staff.get(ROUTES, {"window_s": "7200"}).json()
    assert (body["window_s"], body["error_bound"]) == (7200, 0.01)
    assert body["from"].endswith("Z")
    assert body["to"].endswith("Z")
    assert set(body["routes"][0]) >= MEMBERS
    assert set(body["routes"][0]["previous"]) >= {"count", "p95_ms", "error_rate"}


def test_memory_and_rows_of_a_process_are_not_counted_twice(staff, mine: Monitor) -> None:
    for _ in range(3):
        mine.observe(observation(1000), is_slow=False)
        mine.flush()
        mine.observe(observation(3000), is_slow=False)
    assert row_of(staff.get(ROUTES))["count"] == 6
    assert RouteMetric.objects.get().count == 5


def test_server_and_client_errors_are_counted_separately(staff, mine: Monitor) -> None:
    for status in (200, 200, 404, 500):
        mine.observe(observation(1000, status=status), is_slow=False)
    mine.observe(observation(900_000, route="/slow"), is_slow=False)
    mine.observe(observation(1000, route="/refused", status=422), is_slow=False)
    row = row_of(staff.get(ROUTES))
    assert (row["error_rate"], row["client_error_rate"]) == (0.25, 0.25)
    faulty = [row["route"] for row in staff.get("/internal/performance/error-routes").json()["routes"]]
    assert faulty == ["/api/v2/renders", "/refused"]
    slow = [row["route"] for row in staff.get("/internal/performance/slow-routes").json()["routes"]]
    assert slow[0] == "/slow"
    busiest = staff.get(ROUTES).json()["routes"][0]["route"]
    assert busiest == "/api/v2/renders"


def test_slow_and_error_routes_are_the_worst_ten(staff, mine: Monitor) -> None:
    for number in range(15):
        mine.observe(observation(1000 * (number + 1), route=f"/{number}", status=500), is_slow=False)
    for path in ("slow-routes", "error-routes"):
        rows = staff.get(f"/internal/performance/{path}").json()["routes"]
        assert len(rows) == 10
        assert set(rows[0]) >= MEMBERS
    rows = staff.get("/internal/performance/slow-routes").json()["routes"]
    assert [row["route"] for row in rows] == [f"/{number}" for number in range(14, 4, -1)]


def test_compares_with_the_previous_window_and_last_week(staff, clock: Clock, mine: Monitor) -> None:
    now = clock.now
    for age_s, took_us, count in ((30, 1000, 2), (3600 + 1200, 5000, 3), (7 * 86400 + 600, 9000, 4), (3 * 3600, 1, 50)):
        clock.now = now - age_s
        for _ in range(count):
            mine.observe(observation(took_us, status=500 if took_us == 5000 else 200), is_slow=False)
    row = row_of(staff.get(ROUTES, {"window_s": "3600"}))
    assert row["count"] == 2
    assert (row["previous"]["count"], row["previous"]["error_rate"]) == (3, 1.0)
    assert row["previous"]["p95_ms"] == pytest.approx(5, rel=0.01)
    assert row["last_week"]["count"] == 4
    assert row["last_week"]["p95_ms"] == pytest.approx(9, rel=0.01)


def test_without_earlier_requests_comparisons_are_empty(staff, mine: Monitor) -> None:
    mine.observe(observation(1000), is_slow=False)
    previous = row_of(staff.get(ROUTES))["previous"]
    assert (previous["count"], previous["p95_ms"], previous["error_rate"]) == (0, None, None)


@pytest.mark.parametrize("value", ["59", "0", "-60", "2592001", "abc", "60.5", "", "٦٠", "9" * 30])
@pytest.mark.parametrize("path", [ROUTES, "/internal/performance/slow-routes", "/internal/query-analysis"])
def test_refuses_windows_out_of_bounds(staff, path: str, value: str) -> None:
    response = staff.get(path, {"window_s": value})
    assert response.status_code == 400
    assert (response.json()["code"], response.json()["parameter"]) == ("invalid_parameter", "window_s")


@pytest.mark.parametrize("value", ["60", "2592000"])
def test_accepts_the_shortest_and_the_longest_window(staff, mine: Monitor, value: str) -> None:
    assert staff.get(ROUTES, {"window_s": value}).json()["window_s"] == int(value)


@pytest.mark.parametrize("path", [ROUTES, "/internal/performance/system", "/internal/query-analysis"])
def test_refuses_unknown_parameters(staff, path: str) -> None:
    response = staff.get(path, {"windows": "60"})
    assert (response.status_code, response.json()["parameter"]) == (400, "windows")


@pytest.mark.parametrize("window_s", [60, 3600, 4 * 3600, 86400, 4 * 86400, 30 * 86400])
def test_windows_start_where_rows_start(window_s: int) -> None:
    now = timezone.now()
    window = window_before(now, window_s, now)
    assert window.end - window.start >= timedelta(seconds=window_s)
    resolution_s = 60 if window_s <= 3 * 3600 - 60 else 600 if window_s < 3 * 86400 else 3600
    assert window.start == floor_to(window.start, resolution_s)
    assert window.end - window.start < timedelta(seconds=window_s + resolution_s)
    before = window_before(window.start, window_s, now)
    assert before.end == window.start
    week = week_before(window, now)
    assert week.start == floor_to(week.start, 3600)
    assert week.end == floor_to(week.end, 3600)


def test_system_reports_processes_database_queue_and_cache(staff, clock: Clock, mine: Monitor) -> None:
    make_job(queue="renders", scheduled_at=timezone.now() - timedelta(seconds=90))
    other = make_monitor(clock)
    other.observe(observation(1000, cache="HIT"), is_slow=False)
    other.flush()
    mine.observe(observation(1000, cache="MISS"), is_slow=False)
    body = staff.get("/internal/performance/system").json()
    assert [process["is_this"] for process in body["processes"]] == [True, False]
    assert all(process["requests"] >= 1 for process in body["processes"])
    assert body["memory"]["anonymous_bytes"] > 10_000_000
    assert body["cpu"]["cores"] >= 1
    assert body["uptime_s"] >= 0
    database = body["database"]
    assert database["size_bytes"] > 10_000
    if database["vendor"] == "sqlite":
        assert database["wal_bytes"] >= 0
        assert database["pragmas"]["foreign_keys"] == 1
    (queue,) = body["queue"]
    assert (queue["queue"], queue["ready"]) == ("renders", 1)
    assert 85 < queue["oldest_ready_s"] < 120
    assert (body["cache"]["hits"], body["cache"]["lookups"], body["cache"]["hit_rate"]) == (1, 2, 0.5)


def test_stopped_processes_are_not_listed(staff, clock: Clock, mine: Monitor) -> None:
    gone, silent = make_monitor(clock), make_monitor(clock)
    gone.observe(observation(5), is_slow=False)
    gone.stop()
    clock.now -= 600
    silent.observe(observation(5), is_slow=False)
    silent.flush()
    body = staff.get("/internal/performance/system").json()
    assert [process["is_this"] for process in body["processes"]][:1] == [True]
    assert gone.token not in str(body)


@pytest.mark.parametrize(
    "access",
    [
        Access("internal-performance-routes", {"GET": "admin:*"}, sessions=True),
        Access("internal-performance-slow-routes", {"GET": "admin:*"}, sessions=True),
        Access("internal-performance-error-routes", {"GET": "admin:*"}, sessions=True),
        Access("internal-performance-system", {"GET": "admin:*"}, sessions=True),
        Access("internal-query-analysis", {"GET": "admin:*"}, sessions=True),
        Access("internal-error-list", {"GET": "admin:*"}, staff=True, sessions=True),
    ],
    ids=lambda access: access.route,
)
def test_only_staff_may_read(access: Access) -> None:
    check_access(access)
