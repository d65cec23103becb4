"""Queries of the metrics, each bounded by an index."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count, Sum
from django.utils import timezone

from analytics.models import AnalyticsEvent, AnalyticsEventType, DailyStat
from jobs.models import Job
from jobs.registry import handlers
from jobs.states import FINISHED, JobStatus
from monitoring.models import CacheMetric, ServerProcess
from notifications.models import WebhookDelivery

JOBS_WINDOW_S, DELIVERIES_WINDOW_S = 300, 3600
OTHER = "(other)"
_OUTCOMES = {
    AnalyticsEventType.RENDER_SUBMITTED: "submitted",
    AnalyticsEventType.RENDER_SUCCEEDED: "succeeded",
    AnalyticsEventType.RENDER_FAILED: "failed",
    AnalyticsEventType.RENDER_CANCELLED: "cancelled",
}
_SUMS = ("duration_ms", "work_ms", "waited_ms", "credits")


@dataclass(frozen=True, slots=True)
class RenderTotals:
    """Totals of renders since installation; they never decrease."""

    renders: dict[str, int]
    output_s: float
    work_s: float
    waited_s: float
    credits: float


@dataclass(frozen=True, slots=True)
class ServerUsage:
    """Totals of the running server processes."""

    count: int
    memory_bytes: int
    lost: int


def jobs_ended() -> Counter[tuple[str, str]]:
    """Count recently ended jobs by (type, status). Types without a handler are counted as `(other)`."""
    since = timezone.now() - timedelta(seconds=JOBS_WINDOW_S)
    rows = Job.objects.filter(status__in=FINISHED, finished_at__gte=since).order_by()
    found: Counter[tuple[str, str]] = Counter()
    for kind, status, count in rows.values_list("type", "status").annotate(number=Count("*")):
        found[kind if kind in handlers else OTHER, status] += count
    return found


def dead_letters() -> int:
    """Return the number of dead letters."""
    return Job.objects.filter(status=JobStatus.DEAD).count()


def deliveries() -> dict[str, int]:
    """Count recent webhook deliveries by status."""
    since = timezone.now() - timedelta(seconds=DELIVERIES_WINDOW_S)
    rows = WebhookDelivery.objects.filter(created_at__gte=since).order_by()
    return dict(rows.values_list("status").annotate(number=Count("*")))


def totals() -> RenderTotals:
    """Sum the statistics of all days and the events not yet aggregated.

    In one statement: an event aggregated between two would be counted twice or not at all, and Prometheus takes a
    smaller sum for a counter reset.
    """
    sums = {f"sum_{name}": Sum(name) for name in _SUMS}
    types = [*_OUTCOMES, AnalyticsEventType.RENDER_STARTED]
    events = AnalyticsEvent.objects.uncounted().filter(type__in=types).order_by()
    stats = DailyStat.objects.filter(type__in=types).order_by()
    rows = events.values_list("type").annotate(number=Count("*"), **sums)
    rows = rows.union(stats.values_list("type").annotate(number=Sum("count"), **sums), all=True)
    found: dict[str, list[int]] = {kind: [0] * (1 + len(_SUMS)) for kind in types}
    for kind, *numbers in rows:
        found[kind] = [total + int(number or 0) for total, number in zip(found[kind], numbers, strict=True)]
    succeeded, started = found[AnalyticsEventType.RENDER_SUCCEEDED], found[AnalyticsEventType.RENDER_STARTED]
    return RenderTotals(
        renders={outcome: found[kind][0] for kind, outcome in _OUTCOMES.items()},
        output_s=succeeded[1] / 1000,
        work_s=succeeded[2] / 1000,
        waited_s=started[3] / 1000,
        credits=succeeded[4] / 100,
    )


def servers() -> ServerUsage:
    """Return totals of the server processes with a recent heartbeat."""
    since = timezone.now() - ServerProcess.heartbeat_timeout()
    rows = ServerProcess.objects.filter(last_seen_at__gt=since, stopped_at__isnull=True)
    found = rows.aggregate(count=Count("pk"), memory=Sum("memory_bytes"), lost=Sum("lost"))
    return ServerUsage(found["count"], found["memory"] or 0, found["lost"] or 0)


def response_cache() -> CacheMetric:
    """Return the latest sample; zeros if it is older than five minutes."""
    since = timezone.now() - timedelta(minutes=5)
    return CacheMetric.objects.filter(at__gte=since).order_by("-at").first() or CacheMetric(hits=0, lookups=0)
