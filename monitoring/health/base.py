"""Base classes of health checks and their results."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import ClassVar

from health_check.base import HealthCheck

CHECK_TIMEOUT_S = 1.0


class HealthStatus(IntEnum):
    """The status of a check; the worst of several is their maximum."""

    PASS = 0
    WARN = 1
    FAIL = 2

    @property
    def label(self) -> str:
        """Return the status as written in responses."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class CheckObservation:
    """One measurement of a check. name: `responseTime` in `database:responseTime`; detail: shown to staff only."""

    name: str
    value: float | str
    unit: str
    status: HealthStatus = HealthStatus.PASS
    detail: str = ""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of a check. at: when it finished."""

    check: Check
    observations: tuple[CheckObservation, ...]
    at: datetime

    @property
    def status(self) -> HealthStatus:
        """Return the worst status of the observations."""
        return max((observation.status for observation in self.observations), default=HealthStatus.PASS)


@dataclass
class Check(HealthCheck):
    """Base class of health checks. `run` returns observations or raises one of the package's exceptions.

    Messages of exceptions are shown to staff only. critical: its failure makes the service unavailable; is_instant:
    so cheap that it runs in the caller's thread and its result is not cached.
    """

    name: ClassVar[str] = ""
    critical: ClassVar[bool] = False
    is_instant: ClassVar[bool] = False

    @abc.abstractmethod
    def run(self) -> list[CheckObservation]:
        """Run the check, which should take less than a second. Raises HealthCheckException."""
