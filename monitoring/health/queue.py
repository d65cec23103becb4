"""Health check of the job queues and workers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from django.db import DatabaseError
from django.utils import timezone
from health_check.exceptions import ServiceUnavailable

from jobs.models import QueueState, Worker
from jobs.selectors import queue_depths
from monitoring.health.base import Check, CheckObservation, HealthStatus
from monitoring.performance.system import live_workers, oldest_s

OLDEST_WARN_S, OLDEST_FAIL_S = 300.0, 3600.0
# Workers that died longer ago are ignored.
DEAD_FOR_S = 3600


@dataclass
class QueueCheck(Check):
    """Checks the wait of the oldest ready job and counts dead workers. Paused queues do not count."""

    name: ClassVar[str] = "queue"

    def run(self) -> list[CheckObservation]:
        """Count ready jobs and workers."""
        now = timezone.now()
        try:
            paused = set(QueueState.objects.filter(paused=True).values_list("name", flat=True))
            depths = [depth for depth in queue_depths() if depth.queue not in paused]
            alive, dead = len(live_workers(now)), count_dead_workers(now)
        except DatabaseError as error:
            raise ServiceUnavailable(f"{type(error).__name__}: {error}") from error
        ready = sum(depth.ready for depth in depths)
        oldest = max((oldest_s(depth.oldest_ready_at, now) for depth in depths), default=0.0)
        return [
            CheckObservation("ready", ready, "jobs"),
            CheckObservation("oldestReady", oldest, "s", _wait_status(oldest)),
            CheckObservation(
                "workers", alive, "workers", HealthStatus.WARN if ready and not alive else HealthStatus.PASS
            ),
            CheckObservation("deadWorkers", dead, "workers", HealthStatus.WARN if dead else HealthStatus.PASS),
        ]


def _wait_status(oldest: float) -> HealthStatus:
    if oldest >= OLDEST_FAIL_S:
        return HealthStatus.FAIL
    return HealthStatus.WARN if oldest >= OLDEST_WARN_S else HealthStatus.PASS


def count_dead_workers(now: datetime) -> int:
    """Return how many workers stopped sending heartbeats within the last hour without a shutdown."""
    cutoff = now - timedelta(seconds=3 * Worker.HEARTBEAT_S)
    since = now - timedelta(seconds=DEAD_FOR_S)
    return Worker.objects.filter(stopped_at__isnull=True, last_seen_at__lte=cutoff, last_seen_at__gt=since).count()
