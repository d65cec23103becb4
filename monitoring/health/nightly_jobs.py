"""Health check of the nightly maintenance jobs."""

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
class NightlyJobsCheck(Check):
    """Reports the age of each nightly job's last run. Warns if it failed or is older than two days."""

    name: ClassVar[str] = "maintenance"

    def run(self) -> list[CheckObservation]:
        """Observe the last run of each job; jobs that have never run are left out."""
        jobs = {"optimized": OPTIMIZE_JOB, "checked": CHECK_JOB}
        if settings.RENDEROWL_BACKUP_DIR:
            jobs["backedUp"] = BACK_UP_JOB
        try:
            return [last for name, job_type in jobs.items() if (last := _observe(name, job_type)) is not None]
        except DatabaseError as error:
            raise ServiceUnavailable(f"{type(error).__name__}: {error}") from error


def _observe(name: str, job_type: str) -> CheckObservation | None:
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
