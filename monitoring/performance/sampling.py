"""Samples of the queues and the response cache, stored every minute."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings

from jobs.registry import known_queues
from jobs.selectors import QueueDepth, queue_depths
from monitoring.models import CacheMetric, QueueMetric
from monitoring.performance.monitor import monitor
from monitoring.performance.report import route_totals_in
from monitoring.performance.system import live_workers, oldest_s
from monitoring.performance.windows import MINUTE_S, Window, floor_to


def sample_queues(*, now: datetime) -> int:
    """Store a row per queue; return how many. Existing rows of the same minute are kept."""
    at = floor_to(now, MINUTE_S)
    depths = {depth.queue: depth for depth in queue_depths()}
    workers = live_workers(now)
    rows = []
    for queue in sorted({*depths, *known_queues()}):
        depth = depths.get(queue, QueueDepth(queue, 0, 0, 0, 0, None))
        serving = [worker for worker in workers if queue in worker.queues]
        rows.append(
            QueueMetric(
                at=at,
                queue=queue,
                ready=depth.ready,
                scheduled=depth.scheduled,
                blocked=depth.blocked,
                running=depth.running,
                oldest_ready_s=oldest_s(depth.oldest_ready_at, now),
                slots=sum(worker.concurrency for worker in serving),
                busy_slots=sum(worker.busy for worker in serving),
            )
        )
    QueueMetric.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def sample_cache(*, now: datetime) -> None:
    """Store the hits of the minute before last, which all processes have written by now."""
    at = floor_to(now, MINUTE_S) - timedelta(seconds=MINUTE_S)
    totals = route_totals_in(Window(at - timedelta(seconds=MINUTE_S), at), monitor.snapshot())
    row = CacheMetric(
        at=at,
        hits=sum(route.total.cache_hits for route in totals.values()),
        lookups=sum(route.total.cache_lookups for route in totals.values()),
        size_bytes=_cache_bytes(),
    )
    CacheMetric.objects.bulk_create([row], ignore_conflicts=True)


def _cache_bytes() -> int:
    """Return the size of the cache file; 0 if the cache is a server."""
    url: str = settings.RENDEROWL_CACHE_URL
    if not url.startswith("sqlite:///"):
        return 0
    path = Path(url.removeprefix("sqlite:///"))
    return sum(file.stat().st_size for file in (path, Path(f"{path}-wal")) if file.is_file())
