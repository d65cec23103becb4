"""The check of what the clock does for the database: when it last ran, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone
from health_check.exceptions import ServiceUnavailable

from jobs.models import Job
from jobs.states import FINISHED, JobStatus
from maintenance.tasks import BACK_UP_JOB, CHECK_JOB, OPTIMIZE_JOB
from monitoring.health.base import Check, CheckObservation, HealthStatus

LATE_S = 2 * 86400.0


@dataclass
class MaintenanceCheck(Check):
    """How long ago each job of the night ended. One that failed, or has not run for two days, is a warning."""

    name: ClassVar[str] = "maintenance"

    def run(self) -> list[CheckObservation]:
        """Ask for the last run of each; a new installation has none, which says nothing."""
        jobs = {"optimized": OPTIMIZE_JOB, "checked": CHECK_JOB}
        if settings.RENDEROWL_BACKUP_DIR:
            jobs["backedUp"] = BACK_UP_JOB
        try:
            return [seen for name, job_type in jobs.items() if (seen := _observe(name, job_type)) is not None]
        except DatabaseError as error:
            raise ServiceUnavailable(f"{type(error).__name__}: {error}") from error


def _observe(name: str, job_type: str) -> CheckObservation | None:
    # Of these there is one a day.
    last = Job.objects.filter(type=job_type, status__in=FINISHED).order_by("-finished_at").first()
    if last is None or last.finished_at is None:
        return None
    age_s = round((timezone.now() - last.finished_at).total_seconds(), 1)
    if last.status != JobStatus.SUCCEEDED:
        detail = str((last.error or {}).get("message", "")) or last.status
        return CheckObservation(name, age_s, "s", HealthStatus.WARN, f"{job_type}: {detail}")
    late = age_s > LATE_S
    return CheckObservation(
        name, age_s, "s", HealthStatus.WARN if late else HealthStatus.PASS, f"{job_type} is late" if late else ""
    )
