"""Health check runner: runs checks in parallel with a timeout, and caches results for a second.

Concurrent probes share one run per check. A run that hangs keeps its thread, and the check fails until it returns.
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
    """The health checks of this process, by name."""

    def __init__(self, checks: Sequence[Check], clock: Callable[[], float] = time.monotonic) -> None:
        self._checks = {check.name: CachedCheck(check, clock) for check in checks}

    @property
    def names(self) -> list[str]:
        """Return the names of all checks, in order."""
        return list(self._checks)

    @property
    def critical(self) -> list[str]:
        """Return the names of critical checks."""
        return [name for name, cached in self._checks.items() if cached.check.critical]

    def checks(self, names: Iterable[str]) -> list[CachedCheck]:
        """Return the named checks."""
        return [self._checks[name] for name in names]

    def results(self, names: Iterable[str]) -> list[CheckResult]:
        """Return the results of the named checks, at most a second old."""
        runs = [(check, check.start()) for check in self.checks(names)]
        return [check.wait(run) for check, run in runs]


@dataclass
class CachedCheck(HealthCheck):
    """A check with its last run, which is reused while it is running or fresh."""

    check: Check
    clock: Callable[[], float] = field(repr=False)
    _guard: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _run: Future[CheckResult] | None = field(default=None, repr=False)
    _started_at: float = field(default=0.0, repr=False)
    _fresh_until: float = field(default=0.0, repr=False)
    _last: HealthStatus = field(default=HealthStatus.PASS, repr=False)

    def run(self) -> CheckResult:
        """Run the check in this thread."""
        return run_check(self.check)

    def start(self) -> Future[CheckResult]:
        """Return the last run, or start a new one if that has expired."""
        with self._guard:
            now = self.clock()
            if self._run is not None and (not self._run.done() or now < self._fresh_until):
                return self._run
            self._started_at = now
            run = self._run = Future()
            # Makes it uncancellable: a view that times out leaves the run to the next one.
            run.set_running_or_notify_cancel()
        if self.check.is_instant:
            run.set_result(self.run())
        else:
            # A daemon thread, so that a hanging check does not block process exit.
            threading.Thread(target=self._work, args=(run,), name=f"health-{self.check.name}", daemon=True).start()
        return run

    def wait(self, run: Future[CheckResult]) -> CheckResult:
        """Return the result of a run, or a failure if it times out."""
        try:
            return run.result(self._remaining_s())
        except TimeoutError:
            return _too_slow(self.check)

    async def get_result(self, executor: Executor | None = None) -> CheckResult:
        """Return the result of the check, or a failure if it times out. Called by the package's views."""
        run = self.start()
        try:
            return run.result() if run.done() else await asyncio.wait_for(asyncio.wrap_future(run), self._remaining_s())
        except TimeoutError:
            return _too_slow(self.check)

    def _remaining_s(self) -> float:
        return max(0.0, self._started_at + CHECK_TIMEOUT_S - self.clock())

    def _work(self, run: Future[CheckResult]) -> None:
        try:
            result = self.run()
        finally:
            connections.close_all()
        # Log before setting the result: the waiting caller may end the process.
        if result.status != self._last:
            details = "; ".join(found.detail for found in result.observations if found.detail)
            logger.warning("health check %s: %s %s", self.check.name, result.status.label, details)
        self._last = result.status
        self._fresh_until = self.clock() + CACHE_TTL_S
        run.set_result(result)


def run_check(check: Check) -> CheckResult:
    """Run a check in this thread and return its result. Exceptions become its status."""
    began = time.perf_counter()
    try:
        observations = check.run()
        status, detail = HealthStatus.PASS, ""
    except HealthCheckException as error:
        observations = []
        status = HealthStatus.WARN if isinstance(error, ServiceWarning) else HealthStatus.FAIL
        detail = str(error.message)
    except Exception:
        # A broken check counts as failed, and must not stop the others.
        logger.exception("health check %s raised an exception", check.name)
        observations, status, detail = [], HealthStatus.FAIL, "the check itself failed; the log has the traceback"
    took_ms = round((time.perf_counter() - began) * 1000, 3)
    timing = CheckObservation("responseTime", took_ms, "ms", status, detail)
    return CheckResult(check, (timing, *observations), timezone.now())


def _too_slow(check: Check) -> CheckResult:
    detail = f"no result within {CHECK_TIMEOUT_S:.0f} s"
    timing = CheckObservation("responseTime", CHECK_TIMEOUT_S * 1000, "ms", HealthStatus.FAIL, detail)
    return CheckResult(check, (timing,), timezone.now())
