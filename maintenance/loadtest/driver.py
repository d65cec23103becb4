"""Child process of a load test, `python -m maintenance.loadtest.driver`: reads a plan, writes JSON lines.

It writes {"done_s", "requests"} every second and {"report": {...}} at the end. SIGTERM ends the test early, with a
report of the requests sent by then.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Iterator
from itertools import cycle
from types import FrameType
from typing import Any, cast

# Before anything else that uses sockets or threads: importing it patches them.
import locust

import gevent  # isort: skip
from locust.contrib.fasthttp import LocustUserAgent
from locust.env import Environment
from locust.exception import StopUser

from maintenance.loadtest.plan import CONNECT_TIMEOUT_S, REQUEST_TIMEOUT_S, LoadPlan
from maintenance.loadtest.response_stats import ResponseStats

PROGRESS_INTERVAL_S = 1.0
LATE_AFTER_S = 0.01
MAX_SLEEP_S = 0.2


class LoadTestRun:
    """The state of a running test: its clock, the next endpoint and the counts."""

    def __init__(self, plan: LoadPlan) -> None:
        self.plan = plan
        self.stats = {endpoint: ResponseStats() for endpoint in plan.endpoints}
        self.late = 0
        self.interrupted = False
        self._turns: Iterator[str] = cycle(plan.endpoints)
        self._sent = 0
        self.start()

    def start(self) -> None:
        """Start the clock."""
        self._began = self._last_response = time.perf_counter()
        self._ends = self._began + self.plan.duration_s

    def interrupt(self) -> None:
        """Stop sending requests."""
        self.interrupted = True
        self._ends = time.perf_counter()

    @property
    def elapsed_s(self) -> float:
        """Return the time from the start to the last response, at least a microsecond."""
        return max(self._last_response - self._began, 1e-6)

    @property
    def done_s(self) -> float:
        """Return the elapsed part of the planned duration."""
        return min(time.perf_counter() - self._began, self.plan.duration_s)

    @property
    def is_over(self) -> bool:
        """Return whether no more requests may be sent."""
        return time.perf_counter() >= self._ends

    def next_endpoint(self) -> str:
        """Wait until the next request is due, and return its path.

        With a rate, requests are due at even intervals across all users, not in bursts. Raises StopUser at the end.
        """
        if self.plan.rps is not None:
            due = self._began + self._sent / self.plan.rps
            if due >= self._ends:
                raise StopUser
            self._sent += 1
            self._wait_until(due)
        if self.is_over:
            raise StopUser
        return next(self._turns)

    def _wait_until(self, due: float) -> None:
        # In short sleeps, so that an interrupt takes effect even if requests are minutes apart.
        while (wait_s := due - time.perf_counter()) > 0 and not self.is_over:
            gevent.sleep(min(wait_s, MAX_SLEEP_S))
        # No user was free in time: the server, or this process, cannot keep up.
        if time.perf_counter() - due > LATE_AFTER_S:
            self.late += 1

    def record_end(self) -> None:
        """Record the time of the last response."""
        self._last_response = time.perf_counter()

    def report(self, driver_cpu_s: float) -> dict[str, Any]:
        """Return the report as JSON members. driver_cpu_s: CPU time that this process used."""
        total = ResponseStats()
        for stats in self.stats.values():
            total.add(stats)
        elapsed_s = self.elapsed_s
        return {
            "url": self.plan.url,
            "method": self.plan.method,
            "duration_s": round(elapsed_s, 3),
            "concurrency": self.plan.concurrency,
            "target_rps": self.plan.rps,
            **total.summary(elapsed_s),
            "late_share": round(self.late / self._sent, 6) if self._sent else 0.0,
            "driver_cpu_share": round(driver_cpu_s / elapsed_s, 3),
            "interrupted": self.interrupted,
            "endpoints": [{"endpoint": endpoint, **stats.summary(elapsed_s)} for endpoint, stats in self.stats.items()],
        }


class LoadTestUser(locust.FastHttpUser):
    """A Locust user that sends one request at a time over its own connection."""

    test_run: LoadTestRun
    abstract = True
    connection_timeout = CONNECT_TIMEOUT_S
    network_timeout = REQUEST_TIMEOUT_S
    insecure = False

    @locust.task
    def send_request(self) -> None:
        """Send the next request and count its response or failure."""
        test_run = self.test_run
        endpoint = test_run.next_endpoint()
        plan = test_run.plan
        stats = test_run.stats[endpoint]
        began = time.perf_counter()
        # Locust sends bytes as they are, although its annotation allows only text.
        body = cast("str | None", plan.body or None)
        response = self.client.request(plan.method, endpoint, name=endpoint, data=body, headers=plan.headers())
        took_s = time.perf_counter() - began
        test_run.record_end()
        if response.status_code:
            stats.record_response(status=response.status_code, took_s=took_s, size=len(response.content or b""))
        else:
            stats.record_failure(_reason(getattr(response, "error", None)))


def _reason(error: object) -> str:
    """Return the reason of a failure, without parts that differ between requests."""
    if isinstance(error, OSError) and error.strerror:
        return f"{type(error).__name__}: {error.strerror}"
    return type(error).__name__


def _write_line(line: dict[str, Any]) -> None:
    # Raises BrokenPipeError, which ends the test, if the parent is gone.
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def run_load_test(plan: LoadPlan) -> dict[str, Any]:
    """Run the test until its end or SIGTERM, and return the report."""
    test_run = LoadTestRun(plan)

    def interrupt(number: int, frame: FrameType | None) -> None:
        test_run.interrupt()

    signal.signal(signal.SIGTERM, interrupt)
    # A redirect's target is not under test, and must not receive the key.
    LocustUserAgent.redirect_response_codes = frozenset()
    # A server may close an idle connection, so safe requests are retried once; others are never sent twice.
    retries = 1 if plan.method in {"GET", "HEAD"} else 0
    attributes = {"test_run": test_run, "host": plan.url, "max_retries": retries, "abstract": False}
    user_class = type("PlannedUser", (LoadTestUser,), attributes)
    # A stopped user may finish its last request.
    environment = Environment(user_classes=[user_class], stop_timeout=REQUEST_TIMEOUT_S, catch_exceptions=False)
    runner = environment.create_local_runner()
    test_run.start()
    cpu_before = time.process_time()
    # All users at once: a ramp-up would be a different test.
    runner.start(plan.concurrency, spawn_rate=plan.concurrency)
    reported_at = 0.0
    timeout_s = plan.duration_s + CONNECT_TIMEOUT_S + REQUEST_TIMEOUT_S
    began = time.perf_counter()
    while (runner.user_count or not test_run.is_over) and time.perf_counter() - began < timeout_s:
        gevent.sleep(0.02)
        if time.perf_counter() - reported_at >= PROGRESS_INTERVAL_S:
            reported_at = time.perf_counter()
            _write_line(
                {"done_s": test_run.done_s, "requests": sum(stats.requests for stats in test_run.stats.values())}
            )
    report = test_run.report(time.process_time() - cpu_before)
    runner.quit()
    return report


def main() -> int:
    """Read the plan from standard input, run it, print the report."""
    plan = LoadPlan.from_json(sys.stdin.readline())
    try:
        _write_line({"report": run_load_test(plan)})
    except BrokenPipeError:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
