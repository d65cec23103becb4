"""What the health checks say, in rows: they may hang for a second, for which no evaluator can wait."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from monitoring.alerting.models import HealthSample
from monitoring.health.base import Check, Outcome, Status
from monitoring.health.database import DatabaseCheck, MigrationsCheck
from monitoring.health.machine import CacheCheck, FfmpegCheck, StorageCheck
from monitoring.health.runner import run_check
from monitoring.health.upkeep import UpkeepCheck

# Three samples; a worker whose slots are all busy takes none, which says nothing of the checks.
VALID_FOR = timedelta(minutes=3)


def checks() -> list[Check]:
    """Return those that no rule of its own measures."""
    return [DatabaseCheck(), MigrationsCheck(), CacheCheck(), StorageCheck(), FfmpegCheck(), UpkeepCheck()]


def sample_health(*, now: datetime, chosen: Sequence[Check] | None = None) -> int:
    """Run the checks one after the other and write what they say; return how many do not pass."""
    outcomes = [run_check(check) for check in (checks() if chosen is None else chosen)]
    rows = [HealthSample(check_name=outcome.check.name, level=_level(outcome), at=now) for outcome in outcomes]
    HealthSample.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["check_name"], update_fields=["level", "at"]
    )
    return sum(row.level > 0 for row in rows)


def _level(outcome: Outcome) -> int:
    """Return how bad it is for the whole: what is not critical cannot do worse than a warning."""
    return int(outcome.status if outcome.check.critical else min(outcome.status, Status.WARN))


def levels(now: datetime) -> dict[str, int | None]:
    """Return what each check said; None where that is too long ago."""
    rows = HealthSample.objects.order_by("check_name").values_list("check_name", "level", "at")
    return {name: level if now - at <= VALID_FOR else None for name, level, at in rows}
