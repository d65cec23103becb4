"""Rebuild of the stats from the event log."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Min, Sum
from django.utils import timezone

from analytics.exceptions import EventsPurged
from analytics.models import FAILURES, INTERVALS, MEASURES, AnalyticsEvent, DailyStat, HourlyStat, StatRollup
from analytics.services.monthly_usage import rebuild_month
from analytics.services.rollups import add_to_rollups
from analytics.services.stats import (
    EVENTS,
    HOURLY,
    StatIncrement,
    StatKey,
    add_events,
    add_to_stats,
    complete_since_of,
    group_by_day,
    lock_stats,
    start_of_day,
)

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


def rebuild_range(*, since: datetime | None = None) -> Iterator[tuple[datetime, int]]:
    """Rebuild day by day, starting at `since` or the first event; yield each day and its number of events.

    Raises EventsPurged if events since then were deleted: their stats would be lost.
    """
    watermark = complete_since_of(EVENTS)
    if since is None:
        first = AnalyticsEvent.objects.filter(created_at__gte=watermark) if watermark else AnalyticsEvent.objects.all()
        since = watermark or first.aggregate(first=Min("created_at"))["first"]
        if since is None:
            return
    if watermark is not None and start_of_day(since) < watermark:
        raise EventsPurged(f"Events before {watermark:%Y-%m-%d} were deleted, so their stats cannot be rebuilt.")
    newest = max(
        timezone.now(), AnalyticsEvent.objects.order_by("-created_at").values_list("created_at", flat=True)[:1].get()
    )
    day = start_of_day(since)
    while day <= newest:
        yield day, rebuild_day(day=day)
        day += _DAY


def rebuild_day(*, day: datetime) -> int:
    """Replace the stats of a day and, within their retention, of its hours; return the number of events.

    Runs in one transaction, so that readers never see a partial day.
    """
    with transaction.atomic():
        lock_stats()
        events = AnalyticsEvent.objects.filter(created_at__gte=day, created_at__lt=day + _DAY)
        # Later events are left to the aggregation job.
        events.uncounted().update(counted=True)
        hours: dict[StatKey, StatIncrement] = {}
        for number in range(24):
            _aggregate_hour(day + number * _HOUR, hours)
        rollups = StatRollup.objects.filter(interval__in=INTERVALS)
        for stats in (HourlyStat.objects.all(), DailyStat.objects.all(), rollups):
            stale = stats.filter(start__gte=day, start__lt=day + _DAY)
            stale._raw_delete(stale.db)  # noqa: SLF001 - no foreign keys point to stats
        watermark = complete_since_of(HOURLY)
        if watermark is None or day >= watermark:
            add_to_stats(HourlyStat, hours)
            add_to_rollups("hour", hours)
        days = group_by_day(hours)
        add_to_stats(DailyStat, days)
        add_to_rollups("day", days)
        rebuild_month(day=day)
    return sum(total.count for total in hours.values())


def _aggregate_hour(start: datetime, hours: dict[StatKey, StatIncrement]) -> None:
    """Add the counted events of an hour. The database sums them, so that a busy day needs little memory."""
    events = AnalyticsEvent.objects.filter(created_at__gte=start, created_at__lt=start + _HOUR, counted=True)
    groups = events.order_by().values_list("user_id", "type", "code", "project_id")
    sums = {f"sum_{name}": Sum(name) for name in MEASURES}
    for user_id, event_type, code, project_id, count, *numbers in groups.annotate(n=Count("pk"), **sums):
        add_events(hours, StatKey(start, user_id, event_type, code, project_id), count, map(int, numbers))
    failures = events.filter(type__in=FAILURES)
    columns = ("user_id", "type", "code", "project_id", "created_at", "resource_id")
    for user_id, event_type, code, project_id, at, resource_id in failures.values_list(*columns).iterator():
        hours[StatKey(start, user_id, event_type, code, project_id)].note_latest(at, resource_id)
