"""What the metrics read from tables, each a query that an index bounds."""

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
from maintenance.stats import describe_database
from monitoring.health.queue import count_dead_workers
from monitoring.models import CacheMetric, ServerProcess
from notifications.models import WebhookDelivery

JOBS_S, DELIVERIES_S = 300, 3600
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
    """What happened to renders since the installation began: it only grows."""

    renders: dict[str, int]
    output_s: float
    work_s: float
    waited_s: float
    credits: float


@dataclass(frozen=True, slots=True)
class DatabaseSize:
    """wal_bytes: None where there is no write-ahead log of ours."""

    size_bytes: int
    wal_bytes: int | None


@dataclass(frozen=True, slots=True)
class ServerUsage:
    """The processes that serve."""

    count: int
    memory_bytes: int
    lost: int


@dataclass(frozen=True, slots=True)
class CacheUsage:
    """A minute of the response cache."""

    hits: int
    lookups: int


def dead_workers() -> int:
    """Return how many workers fell silent within the last hour."""
    return count_dead_workers(timezone.now())


def jobs_ended() -> Counter[tuple[str, str]]:
    """Return how many jobs of each type ended how, lately. Types that no code knows are one."""
    since = timezone.now() - timedelta(seconds=JOBS_S)
    rows = Job.objects.filter(status__in=FINISHED, finished_at__gte=since).order_by()
    known = set(handlers)
    found: Counter[tuple[str, str]] = Counter()
    for kind, status, count in rows.values_list("type", "status").annotate(number=Count("*")):
        found[kind if kind in known else OTHER, status] += count
    return found


def dead_letters() -> int:
    """Return how many dead letters there are."""
    return Job.objects.filter(status=JobStatus.DEAD).count()


def deliveries() -> dict[str, int]:
    """Return what became of the deliveries that were made lately."""
    since = timezone.now() - timedelta(seconds=DELIVERIES_S)
    rows = WebhookDelivery.objects.filter(created_at__gte=since).order_by()
    return dict(rows.values_list("status").annotate(number=Count("*")))


def totals() -> RenderTotals:
    """Add up the stats of all days and the events that are in none yet.

    In one statement: an event that is counted between two would be seen twice, or not at all, and the next sum would
    be smaller, which Prometheus takes for a new beginning.
    """
    sums = {f"sum_{name}": Sum(name) for name in _SUMS}
    types = [*_OUTCOMES, AnalyticsEventType.RENDER_STARTED]
    fresh = AnalyticsEvent.objects.uncounted().filter(type__in=types).order_by()
    past = DailyStat.objects.filter(type__in=types).order_by()
    rows = fresh.values_list("type").annotate(number=Count("*"), **sums)
    rows = rows.union(past.values_list("type").annotate(number=Sum("count"), **sums), all=True)
    found: dict[str, list[int]] = {kind: [0] * (1 + len(_SUMS)) for kind in types}
    for kind, *numbers in rows:
        found[kind] = [had + int(number or 0) for had, number in zip(found[kind], numbers, strict=True)]
    succeeded, started = found[AnalyticsEventType.RENDER_SUCCEEDED], found[AnalyticsEventType.RENDER_STARTED]
    return RenderTotals(
        renders={outcome: found[kind][0] for kind, outcome in _OUTCOMES.items()},
        output_s=succeeded[1] / 1000,
        work_s=succeeded[2] / 1000,
        waited_s=started[3] / 1000,
        credits=succeeded[4] / 100,
    )


def database_sizes() -> DatabaseSize:
    """Return how large the database is."""
    found = describe_database()
    return DatabaseSize(found["size_bytes"], found["wal_bytes"])


def servers() -> ServerUsage:
    """Return the server processes that were heard of lately."""
    since = timezone.now() - ServerProcess.heard_of_since()
    rows = ServerProcess.objects.filter(last_seen_at__gt=since, stopped_at__isnull=True)
    found = rows.aggregate(count=Count("pk"), memory=Sum("memory_bytes"), lost=Sum("lost"))
    return ServerUsage(found["count"], found["memory"] or 0, found["lost"] or 0)


def response_cache() -> CacheUsage:
    """Return the last minute that was sampled; nothing where that was long ago."""
    since = timezone.now() - timedelta(minutes=5)
    row = CacheMetric.objects.filter(at__gte=since).order_by("-at").first()
    return CacheUsage(row.hits, row.lookups) if row else CacheUsage(0, 0)
