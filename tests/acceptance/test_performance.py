"""Percentiles over several server processes and a restart, against the `Server-Timing` of the answers."""

from __future__ import annotations

import http.client
import json
import math
import random
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.installation import Installation

pytestmark = [pytest.mark.acceptance]
PATHS = {
    "/api/v2/me": "/api/v2/me",
    "/api/v2/renders?limit=3": "/api/v2/renders",
    "/api/v2/renders/rnd_01jd3x0v9pe5r8d2k7m4w6t8ya": "/api/v2/renders/{id}",
    "/api/v2/nothing/here": "(unmatched)",
    "/docs/sunset": "/docs/sunset",
}
PROCESSES, THREADS, REQUESTS = 3, 4, 80
Timings = dict[str, list[float]]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder: Path = tmp_path_factory.mktemp("performance")
    made = Installation(folder, PERFORMANCE_FLUSH_S="2")
    try:
        yield made
    finally:
        made.stop()


def load(site: Installation, timings: Timings, guard: threading.Lock, seed: int, count: int) -> None:
    """Request paths in random order, and record the `Server-Timing` of each answer."""
    rng = random.Random(seed)
    for _ in range(count // 10):
        # A connection serves ten requests, so that the kernel spreads them over the processes.
        connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)
        for _ in range(10):
            path = rng.choice(list(PATHS))
            connection.request("GET", path, headers={"X-API-Key": site.key})
            answer = connection.getresponse()
            answer.read()
            timing = answer.headers["Server-Timing"]
            with guard:
                timings[PATHS[path]].append(float(timing.removeprefix("app;dur=")))
        connection.close()


def run_load(site: Installation, timings: Timings, seed: int) -> None:
    guard = threading.Lock()
    threads = [
        threading.Thread(target=load, args=(site, timings, guard, seed + number, REQUESTS)) for number in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_percentiles_over_processes_and_a_restart_match_server_timing(site: Installation) -> None:
    staff = json.loads(
        site.manage("create_api_key", "root", "--scopes", "admin:*", "--create-user", "--staff", "--json")
    )["key"]
    timings: Timings = defaultdict(list)
    site.start_server(threads=4, processes=PROCESSES)
    run_load(site, timings, seed=100)
    # The stop must write what is not written yet.
    site.stop()
    assert site.query("SELECT pid FROM monitoring_serverprocess WHERE stopped_at IS NULL") == []
    written = dict(site.query("SELECT route, sum(count) FROM monitoring_routemetric GROUP BY route"))
    assert {route: written[route] for route in timings} == {route: len(values) for route, values in timings.items()}
    site.start_server(threads=4, processes=PROCESSES)
    run_load(site, timings, seed=200)

    def rows() -> dict[str, dict[str, Any]] | None:
        answer = site.call("GET", "/internal/performance/routes", 200, headers={"X-API-Key": staff})
        found = {row["route"]: row for row in answer["routes"]}
        return found if all(found[route]["count"] >= len(values) for route, values in timings.items()) else None

    # docs/api.md promises ten seconds.
    found = site.wait(rows, seconds=10)
    for route, values in timings.items():
        row, ordered = found[route], sorted(values)
        assert row["count"] == len(values), route
        for name, share in (("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99)):
            exact = ordered[math.ceil(share * len(ordered)) - 1]
            assert row[name] == pytest.approx(exact, rel=0.015), (route, name)
        assert row["max_ms"] == ordered[-1]
    assert found["(unmatched)"]["client_error_rate"] == 1
    system = site.call("GET", "/internal/performance/system", 200, headers={"X-API-Key": staff})
    assert len(system["processes"]) == PROCESSES
    assert sum(process["requests"] for process in system["processes"]) >= THREADS * REQUESTS
    assert all(process["lost"] == 0 for process in system["processes"])


def test_a_request_in_flight_at_the_end_is_counted_if_it_was_answered(site: Installation) -> None:
    site.start_server(threads=4)
    answered = attempts = 0
    stopping = threading.Event()
    stopper = threading.Thread(target=lambda: (stopping.wait(), site.stop()))
    stopper.start()
    while stopper.is_alive():
        attempts += 1
        if attempts == 50:
            stopping.set()
        connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=5)
        try:
            connection.request("GET", "/api/v2/keys", headers={"X-API-Key": site.key})
            answered += connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            if stopping.is_set():
                break
            raise
        finally:
            connection.close()
    stopper.join()
    ((counted,),) = site.query("SELECT sum(count) FROM monitoring_routemetric WHERE route = '/api/v2/keys'")
    assert answered >= 50
    assert answered <= counted <= attempts
    site.processes.clear()
