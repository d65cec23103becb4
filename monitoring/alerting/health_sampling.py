"""Health sampling: runs the health checks and stores their levels for the alert rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from monitoring.alerting.models import HealthSample
from monitoring.health.base import Check, CheckResult, HealthStatus
from monitoring.health.database import DatabaseCheck, MigrationsCheck
from monitoring.health.machine import CacheCheck, FfmpegCheck, StorageCheck
from monitoring.health.nightly_jobs import NightlyJobsCheck
from monitoring.health.runner import run_check


def checks() -> list[Check]:
    """Return the checks whose subject no other alert metric covers."""
    return [DatabaseCheck(), MigrationsCheck(), CacheCheck(), StorageCheck(), FfmpegCheck(), NightlyJobsCheck()]


def sample_health(*, now: datetime, chosen: Sequence[Check] | None = None) -> int:
    """Run the checks one by one and store their levels; return how many do not pass."""
    results = [run_check(check) for check in (checks() if chosen is None else chosen)]
    rows = [HealthSample(check_name=result.check.name, level=_level(result), at=now) for result in results]
    HealthSample.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["check_name"], update_fields=["level", "at"]
    )
    return sum(row.level > 0 for row in rows)


def _level(result: CheckResult) -> int:
    # A check that is not critical counts as a warning at most.
    return int(result.status if result.check.critical else min(result.status, HealthStatus.WARN))
