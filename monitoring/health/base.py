"""What a health check is and what it says."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import ClassVar

from health_check.base import HealthCheck

CHECK_TIMEOUT_S = 1.0


class HealthStatus(IntEnum):
    """How something is; the worst of several is their maximum."""

    PASS = 0
    WARN = 1
    FAIL = 2

    @property
    def label(self) -> str:
        """Return the status as the answers write it."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class CheckObservation:
    """One thing that was measured. name: `responseTime` of `database:responseTime`; detail: for staff only."""

    name: str
    value: float | str
    unit: str
    status: HealthStatus = HealthStatus.PASS
    detail: str = ""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check found. at: when it ended."""

    check: Check
    observations: tuple[CheckObservation, ...]
    at: datetime

    @property
    def status(self) -> HealthStatus:
        """Return the worst that was observed."""
        return max((seen.status for seen in self.observations), default=HealthStatus.PASS)


@dataclass
class Check(HealthCheck):
    """A check of ours. `run` returns what it saw, and raises one of the package's exceptions if it saw nothing.

    The message of an exception is for staff. critical: without it nothing can be served; is_instant: costs nothing, so
    that it is asked each time and not remembered.
    """

    name: ClassVar[str] = ""
    critical: ClassVar[bool] = False
    is_instant: ClassVar[bool] = False

    @abc.abstractmethod
    def run(self) -> list[CheckObservation]:
        """Look, within a second.

        Raises HealthCheckException.
        """
