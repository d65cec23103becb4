"""How long rows of the queue are kept."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings

from core.retention import Retention, retentions
from jobs.literals import status_is
from jobs.models import Job, Worker
from jobs.states import JobStatus

FORGET_WORKERS_AFTER = timedelta(days=1)
# The jobs of the clock come back each minute or hour; what they did last year interests nobody.
FORGET_UPKEEP_AFTER = timedelta(days=7)
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
        "finished upkeep jobs",
        lambda: FORGET_UPKEEP_AFTER,
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
        lambda: FORGET_WORKERS_AFTER,
        lambda moment: Worker.objects.filter(last_seen_at__lt=moment).order_by("last_seen_at"),
    )
)
