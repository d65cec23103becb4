"""Retention policies of finished jobs and stopped workers."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings

from core.retention import Retention, retentions
from jobs.expressions import status_is
from jobs.models import Job, Worker
from jobs.states import JobStatus

WORKER_RETENTION = timedelta(days=1)
# Scheduled jobs run every minute or hour, so their rows pile up.
MAINTENANCE_JOB_RETENTION = timedelta(days=7)
MAINTENANCE_QUEUE = "maintenance"

retentions.register(
    Retention(
        "finished jobs",
        lambda: timedelta(days=settings.RENDEROWL_JOBS_RETENTION_DAYS),
        lambda moment: Job.objects.finished().filter(finished_at__lt=moment).order_by("finished_at"),
    )
)
retentions.register(
    Retention(
        "finished maintenance jobs",
        lambda: MAINTENANCE_JOB_RETENTION,
        lambda moment: (
            Job.objects.finished()
            .filter(status_is(JobStatus.SUCCEEDED), queue=MAINTENANCE_QUEUE, finished_at__lt=moment)
            .order_by("finished_at")
        ),
    )
)
retentions.register(
    Retention(
        "gone workers",
        lambda: WORKER_RETENTION,
        lambda moment: Worker.objects.filter(last_seen_at__lt=moment).order_by("last_seen_at"),
    )
)
