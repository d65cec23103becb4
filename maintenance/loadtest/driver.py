"""The child of a load test: `python -m maintenance.loadtest.driver`, a plan on its input, JSON lines on its output.

Lines are {"done_s", "requests"} each second and {"report": {...}} at the end. SIGTERM ends the test early, with a
report of what was done by then.
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

# First of all that touches sockets or threads: it patches them.
import locust

import gevent  # isort: skip
from locust.contrib.fasthttp import LocustUserAgent
from locust.env import Environment
from locust.exception import StopUser

from maintenance.loadtest.plan import CONNECT_TIMEOUT_S, REQUEST_TIMEOUT_S, LoadPlan
from maintenance.loadtest.response_stats import ResponseStats

PROGRESS_S = 1.0
LATE_S = 0.01
SLICE_S = 0.2


class LoadTestRun:
    """One test as it runs: when it began, whose turn is next, what was counted."""

    def __init__(self, plan: LoadPlan) -> None:
        self.plan = plan
        self.stats = {endpoint: ResponseStats() for endpoint in plan.endpoints}
        self.late = 0
        self.interrupted = False
        self._turns: Iterator[str] = cycle(plan.endpoints)
        self._sent = 0
        self._began = self._last_answer = time.perf_counter()
        self._ends = self._began + plan.duration_s

    def start(self) -> None:
        """Begin to count the time."""
        self._began = self._last_answer = time.perf_counter()
        self._ends = self._began + self.plan.duration_s

    def interrupt(self) -> None:
        """Send nothing from now on."""
        self.interrupted = True
        self._ends = time.perf_counter()

    @property
    def elapsed_s(self) -> float:
        """Return the time from the start to the last answer, or to now where there was none."""
        return max(self._last_answer - self._began, 1e-6)

    @property
    def done_s(self) -> float:
        """Return how much of the duration is over."""
        return min(time.perf_counter() - self._began, self.plan.duration_s)

    @property
    def is_over(self) -> bool:
        """Say whether nothing more is to be sent."""
        return time.perf_counter() >= self._ends

    def next_endpoint(self) -> str:
        """Return the path of the next request once it is due.

        With a rate, requests are due at even distances whoever is free to send them, not in a bunch of all users.
        Raises StopUser when the test is over.
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
        # In slices, so that an interrupt is heard also where requests are minutes apart.
        while (wait_s := due - time.perf_counter()) > 0 and not self.is_over:
            gevent.sleep(min(wait_s, SLICE_S))
        # Where no user was free in time the server, or this process, is behind.
        if time.perf_counter() - due > LATE_S:
            self.late += 1

    def record_end(self) -> None:
        """Note that a request is over."""
        self._last_answer = time.perf_counter()

    def report(self, driver_cpu_s: float) -> dict[str, Any]:
        """Return what came of it."""
        total = ResponseStats()
        for each in self.stats.values():
            total.add(each)
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
            "endpoints": [{"endpoint": endpoint, **each.summary(elapsed_s)} for endpoint, each in self.stats.items()],
        }


class LoadTestUser(locust.FastHttpUser):
    """A user that sends one request after the other over a connection of its own."""

    test_run: LoadTestRun
    abstract = True
    connection_timeout = CONNECT_TIMEOUT_S
    network_timeout = REQUEST_TIMEOUT_S
    insecure = False

    @locust.task
    def send_request(self) -> None:
        """Send the next request and count what comes of it."""
        test_run = self.test_run
        endpoint = test_run.next_endpoint()
        plan = test_run.plan
        stats = test_run.stats[endpoint]
        began = time.perf_counter()
        # Bytes go out as they are; its annotation knows only text.
        body = cast("str | None", plan.body or None)
        answer = self.client.request(plan.method, endpoint, name=endpoint, data=body, headers=plan.headers())
        took_s = time.perf_counter() - began
        test_run.record_end()
        if answer.status_code:
            stats.record_response(status=answer.status_code, took_s=took_s, size=len(answer.content or b""))
        else:
            stats.record_failure(_reason(getattr(answer, "error", None)))


def _reason(error: object) -> str:
    """Return a failure without what differs from one request to the next."""
    if isinstance(error, OSError) and error.strerror:
        return f"{type(error).__name__}: {error.strerror}"
    return type(error).__name__


def _write_line(line: dict[str, Any]) -> None:
    # Where the parent is gone this raises BrokenPipeError, and the test ends with it.
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def run_load_test(plan: LoadPlan) -> dict[str, Any]:
    """Run the test to its end, or to SIGTERM, and return the report."""
    test_run = LoadTestRun(plan)

    def interrupt(number: int, frame: FrameType | None) -> None:
        test_run.interrupt()

    signal.signal(signal.SIGTERM, interrupt)
    # What a redirect leads to is not what was asked about, and must not see the key.
    LocustUserAgent.redirect_response_codes = frozenset()
    # That a server closes an idle connection is no failure of it; but nothing that changes anything is sent twice.
    retries = 1 if plan.method in {"GET", "HEAD"} else 0
    attributes = {"test_run": test_run, "host": plan.url, "max_retries": retries, "abstract": False}
    user_class = type("PlannedUser", (LoadTestUser,), attributes)
    # A stopped user gets the time that its last request may take.
    environment = Environment(user_classes=[user_class], stop_timeout=REQUEST_TIMEOUT_S, catch_exceptions=False)
    runner = environment.create_local_runner()
    test_run.start()
    cpu_before = time.process_time()
    # All at once: users that come one a second would be another test than the one asked for.
    runner.start(plan.concurrency, spawn_rate=plan.concurrency)
    said = 0.0
    latest = plan.duration_s + CONNECT_TIMEOUT_S + REQUEST_TIMEOUT_S
    began = time.perf_counter()
    while (runner.user_count or not test_run.is_over) and time.perf_counter() - began < latest:
        gevent.sleep(0.02)
        if time.perf_counter() - said >= PROGRESS_S:
            said = time.perf_counter()
            _write_line({"done_s": test_run.done_s, "requests": sum(each.requests for each in test_run.stats.values())})
    report = test_run.report(time.process_time() - cpu_before)
    runner.quit()
    return report


def main() -> int:
    """Read the plan, run it, print the report."""
    plan = LoadPlan.from_json(sys.stdin.readline())
    try:
        _write_line({"report": run_load_test(plan)})
    except BrokenPipeError:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
