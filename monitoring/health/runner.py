"""Run checks in parallel, each for a second at most, and remember what they said for a second.

However many probes come, one run of a check is under way at a time. A run that hangs keeps its thread and no other is
started; it fails until it comes back.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence

from django.db import connections
from django.utils import timezone
from health_check.exceptions import HealthCheckException, ServiceWarning

from monitoring.health.base import LIMIT_S, Check, Observation, Outcome, Status

REMEMBER_S = 1.0
logger = logging.getLogger(__name__)


class Runner:
    """The checks of this process."""

    def __init__(self, checks: Sequence[Check], clock: Callable[[], float] = time.monotonic) -> None:
        self._slots = {check.name: _Slot(check, clock) for check in checks}

    @property
    def names(self) -> list[str]:
        """Return the names of all checks."""
        return list(self._slots)

    @property
    def critical(self) -> list[str]:
        """Return the names of those without which nothing can be served."""
        return [name for name, slot in self._slots.items() if slot.check.critical]

    def outcomes(self, names: Iterable[str]) -> list[Outcome]:
        """Return what these checks say, at most a second old."""
        slots = [self._slots[name] for name in names]
        for slot in slots:
            slot.start_if_due()
        return [slot.wait() for slot in slots]


class _Slot:
    """One check with what it said last."""

    def __init__(self, check: Check, clock: Callable[[], float]) -> None:
        self.check = check
        self._clock = clock
        self._changed = threading.Condition()
        self._outcome: Outcome | None = None
        self._fresh_until = 0.0
        self._running_since: float | None = None

    def start_if_due(self) -> None:
        """Start a run, unless one is under way or has just ended."""
        if self.check.is_instant:
            return
        with self._changed:
            now = self._clock()
            if self._running_since is not None or now < self._fresh_until:
                return
            self._running_since = now
        # A daemon: a check that hangs must not keep the process from ending.
        threading.Thread(target=self._run, name=f"health-{self.check.name}", daemon=True).start()

    def wait(self) -> Outcome:
        """Return the outcome, or that the check takes too long."""
        if self.check.is_instant:
            return run_check(self.check)
        with self._changed:
            while (since := self._running_since) is not None:
                left_s = since + LIMIT_S - self._clock()
                if left_s <= 0:
                    return _too_slow(self.check)
                self._changed.wait(left_s)
            assert self._outcome is not None
            return self._outcome

    def _run(self) -> None:
        try:
            outcome = run_check(self.check)
        finally:
            connections.close_all()
        # Before anybody has the answer: whoever waits for it may end the process, and its log with it. No other run is
        # under way that could write the outcome meanwhile.
        if outcome.status != (self._outcome.status if self._outcome else Status.PASS):
            details = "; ".join(seen.detail for seen in outcome.observations if seen.detail)
            logger.warning("health check %s: %s %s", self.check.name, outcome.status.word, details)
        with self._changed:
            self._outcome = outcome
            self._fresh_until = self._clock() + REMEMBER_S
            self._running_since = None
            self._changed.notify_all()


def run_check(check: Check) -> Outcome:
    """Run a check now, in this thread, and return what it says. Nothing that it raises gets out."""
    began = time.perf_counter()
    try:
        seen = check.run()
        status = Status.PASS
        detail = ""
    except HealthCheckException as error:
        seen = []
        status = Status.WARN if isinstance(error, ServiceWarning) else Status.FAIL
        detail = str(error.message)
    except Exception:
        # The edge of somebody else's thread: a check that breaks has failed, and the next one goes on.
        logger.exception("health check %s broke", check.name)
        seen, status, detail = [], Status.FAIL, "the check itself failed; the log has the traceback"
    took_ms = round((time.perf_counter() - began) * 1000, 3)
    timing = Observation("responseTime", took_ms, "ms", status, detail)
    return Outcome(check, (timing, *seen), timezone.now(), took_ms)


def _too_slow(check: Check) -> Outcome:
    timing = Observation("responseTime", LIMIT_S * 1000, "ms", Status.FAIL, f"no answer within {LIMIT_S:.0f} s")
    return Outcome(check, (timing,), timezone.now(), LIMIT_S * 1000)
