"""The health check runner: parallel runs with a timeout, shared by concurrent probes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from health_check.exceptions import ServiceUnavailable, ServiceWarning

from monitoring.health import runner as module
from monitoring.health.base import Check, CheckObservation, CheckResult, HealthStatus
from monitoring.health.runner import CheckRunner

Action = Callable[[], list[CheckObservation]]


class Fake(Check):
    """A check that runs the given action."""

    def __init__(self, action: Action, name: str = "fake", *, critical: bool = False) -> None:
        self.run = action
        self.name = name
        self.critical = critical

    def run(self) -> list[CheckObservation]:
        raise NotImplementedError


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def raising(error: Exception) -> Callable[[], list[CheckObservation]]:
    def action() -> list[CheckObservation]:
        raise error

    return action


def only(results: list[CheckResult]) -> CheckResult:
    assert len(results) == 1
    return results[0]


def test_a_hundred_concurrent_probes_share_one_run() -> None:
    runs: list[int] = []
    go_on = threading.Event()

    def slow() -> list[CheckObservation]:
        runs.append(1)
        assert go_on.wait(5)
        return [CheckObservation("depth", 3, "m")]

    subject = CheckRunner([Fake(slow)])
    found: list[CheckResult] = []
    probes = [threading.Thread(target=lambda: found.extend(subject.results(["fake"]))) for _ in range(100)]
    for probe in probes:
        probe.start()
    go_on.set()
    for probe in probes:
        probe.join(5)
    assert (len(found), len(runs)) == (100, 1)
    assert {result.observations[1].value for result in found} == {3}


def test_results_are_cached_for_a_second() -> None:
    runs: list[int] = []
    clock = Clock()
    subject = CheckRunner([Fake(lambda: runs.append(1) or [])], clock)
    for moment, expected in ((100.0, 1), (100.5, 1), (100.999, 1), (101.0, 2), (101.9, 2), (102.1, 3)):
        clock.now = moment
        subject.results(["fake"])
        assert len(runs) == expected, moment


def test_checks_run_in_parallel() -> None:
    barrier = threading.Barrier(3, timeout=5)
    checks = [Fake(lambda: [CheckObservation("place", barrier.wait(), "")], name=f"fake{n}") for n in range(3)]
    results = CheckRunner(checks).results([check.name for check in checks])
    assert [result.status for result in results] == [HealthStatus.PASS] * 3


def test_a_hanging_check_times_out_and_is_not_restarted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHECK_TIMEOUT_S", 0.05)
    runs: list[int] = []
    go_on = threading.Event()

    def hanging() -> list[CheckObservation]:
        runs.append(1)
        go_on.wait(10)
        return []

    subject = CheckRunner([Fake(hanging)])
    began = time.monotonic()
    for _ in range(5):
        result = only(subject.results(["fake"]))
        assert result.status is HealthStatus.FAIL
    assert time.monotonic() - began < 1
    assert len(runs) == 1
    go_on.set()
    monkeypatch.setattr(module, "CHECK_TIMEOUT_S", 5)
    assert only(subject.results(["fake"])).status is HealthStatus.PASS


@pytest.mark.parametrize(
    ("error", "status", "detail"),
    [
        (ServiceWarning("slow today"), HealthStatus.WARN, "slow today"),
        (ServiceUnavailable("gone"), HealthStatus.FAIL, "gone"),
        (KeyError("hunter2"), HealthStatus.FAIL, "the check itself failed; the log has the traceback"),
    ],
)
def test_exceptions_become_the_status(error: Exception, status: HealthStatus, detail: str) -> None:
    result = only(CheckRunner([Fake(raising(error))]).results(["fake"]))
    assert result.status is status
    assert [(found.name, found.detail) for found in result.observations] == [("responseTime", detail)]


def test_status_changes_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="monitoring.health.runner")
    clock = Clock()
    state: dict[str, Any] = {"error": None}

    def action() -> list[CheckObservation]:
        if state["error"]:
            raise state["error"]
        return []

    subject = CheckRunner([Fake(action)], clock)
    for error in (None, ServiceUnavailable("gone"), ServiceUnavailable("gone"), None, None):
        state["error"] = error
        clock.now += 2
        subject.results(["fake"])
    lines = [record.getMessage() for record in caplog.records if record.name == "monitoring.health.runner"]
    assert lines == ["health check fake: fail gone", "health check fake: pass "]
