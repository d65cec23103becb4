"""Run checks in parallel, each for a second at most, and remember what they said for a second.

However many probes come, one run of a check is under way at a time. A run that hangs keeps its thread and no other is
started; it fails until it comes back.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field

from django.db import connections
from django.utils import timezone
from health_check.base import HealthCheck
from health_check.exceptions import HealthCheckException, ServiceWarning

from monitoring.health.base import CHECK_TIMEOUT_S, Check, CheckObservation, CheckResult, HealthStatus

CACHE_TTL_S = 1.0
logger = logging.getLogger(__name__)


class CheckRunner:
    """The checks of this process."""

    def __init__(self, checks: Sequence[Check], clock: Callable[[], float] = time.monotonic) -> None:
        self._checks = {check.name: CachedCheck(check, clock) for check in checks}

    @property
    def names(self) -> list[str]:
        """Return the names of all checks."""
        return list(self._checks)

    @property
    def critical(self) -> list[str]:
        """Return the names of those without which nothing can be served."""
        return [name for name, found in self._checks.items() if found.check.critical]

    def checks(self, names: Iterable[str]) -> list[CachedCheck]:
        """Return these checks, for a view to gather what they say."""
        return [self._checks[name] for name in names]

    def results(self, names: Iterable[str]) -> list[CheckResult]:
        """Return what these checks say, at most a second old."""
        runs = [(check, check.start()) for check in self.checks(names)]
        return [check.wait(run) for check, run in runs]


@dataclass
class CachedCheck(HealthCheck):
    """A check with its last run: under way, or ended within the last second."""

    check: Check
    clock: Callable[[], float] = field(repr=False)
    _guard: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _run: Future[CheckResult] | None = field(default=None, repr=False)
    _began: float = field(default=0.0, repr=False)
    _fresh_until: float = field(default=0.0, repr=False)
    _last: HealthStatus = field(default=HealthStatus.PASS, repr=False)

    def run(self) -> CheckResult:
        """Run the check in this thread."""
        return run_check(self.check)

    def start(self) -> Future[CheckResult]:
        """Return the last run, or a new one where that is over."""
        with self._guard:
            now = self.clock()
            if self._run is not None and (not self._run.done() or now < self._fresh_until):
                return self._run
            self._began = now
            run = self._run = Future()
            # It cannot be cancelled: a view that gives up on it leaves it to the next one.
            run.set_running_or_notify_cancel()
        if self.check.is_instant:
            run.set_result(self.run())
        else:
            # A daemon: a check that hangs must not keep the process from ending.
            threading.Thread(target=self._work, args=(run,), name=f"health-{self.check.name}", daemon=True).start()
        return run

    def wait(self, run: Future[CheckResult]) -> CheckResult:
        """Return the result of a run, or that the check takes too long."""
        try:
            return run.result(self._left_s())
        except TimeoutError:
            return _too_slow(self.check)

    async def get_result(self, executor: Executor | None = None) -> CheckResult:
        """Return the result to a view, which gathers those of several checks, or that the check takes too long."""
        run = self.start()
        try:
            return run.result() if run.done() else await asyncio.wait_for(asyncio.wrap_future(run), self._left_s())
        except TimeoutError:
            return _too_slow(self.check)

    def _left_s(self) -> float:
        return max(0.0, self._began + CHECK_TIMEOUT_S - self.clock())

    def _work(self, run: Future[CheckResult]) -> None:
        try:
            result = self.run()
        finally:
            connections.close_all()
        # Before the answer is there: a caller that waits for it may end the process, and its log with it.
        if result.status != self._last:
            details = "; ".join(seen.detail for seen in result.observations if seen.detail)
            logger.warning("health check %s: %s %s", self.check.name, result.status.label, details)
        self._last = result.status
        self._fresh_until = self.clock() + CACHE_TTL_S
        run.set_result(result)


def run_check(check: Check) -> CheckResult:
    """Run a check now, in this thread, and return what it says. Nothing that it raises gets out."""
    began = time.perf_counter()
    try:
        seen = check.run()
        status = HealthStatus.PASS
        detail = ""
    except HealthCheckException as error:
        seen = []
        status = HealthStatus.WARN if isinstance(error, ServiceWarning) else HealthStatus.FAIL
        detail = str(error.message)
    except Exception:
        # The edge of somebody else's thread: a check that breaks has failed, and the next one goes on.
        logger.exception("health check %s broke", check.name)
        seen, status, detail = [], HealthStatus.FAIL, "the check itself failed; the log has the traceback"
    took_ms = round((time.perf_counter() - began) * 1000, 3)
    timing = CheckObservation("responseTime", took_ms, "ms", status, detail)
    return CheckResult(check, (timing, *seen), timezone.now())


def _too_slow(check: Check) -> CheckResult:
    timing = CheckObservation(
        "responseTime", CHECK_TIMEOUT_S * 1000, "ms", HealthStatus.FAIL, f"no answer within {CHECK_TIMEOUT_S:.0f} s"
    )
    return CheckResult(check, (timing,), timezone.now())
