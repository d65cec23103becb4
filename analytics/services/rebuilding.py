"""Make the figures anew from the events."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Min
from django.db.models import Sum as SumOf
from django.utils import timezone

from analytics.exceptions import EventsForgotten
from analytics.models import FAILURES, INTERVALS, NUMBERS, DailyStat, Digest, Event, HourlyStat
from analytics.services.digests import add_to_digests
from analytics.services.months import recount_month
from analytics.services.sums import (
    EVENTS,
    HOURLY,
    Key,
    Sum,
    add_to_figures,
    by_day,
    day_of,
    horizon_of,
    lock_figures,
    total_of,
)

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


def rebuild_range(*, since: datetime | None = None) -> Iterator[tuple[datetime, int]]:
    """Recount day after day, from the one of `since` or of the first event on; yield each day and its events.

    Raises EventsForgotten where events of that time were deleted, so that figures would be lost.
    """
    horizon = horizon_of(EVENTS)
    if since is None:
        first = Event.objects.filter(created_at__gte=horizon) if horizon else Event.objects.all()
        since = horizon or first.aggregate(first=Min("created_at"))["first"]
        if since is None:
            return
    if horizon is not None and day_of(since) < horizon:
        raise EventsForgotten(f"Events before {horizon:%Y-%m-%d} were deleted; their figures cannot be made anew.")
    newest = max(timezone.now(), Event.objects.order_by("-created_at").values_list("created_at", flat=True)[:1].get())
    day = day_of(since)
    while day <= newest:
        yield day, rebuild_day(day=day)
        day += _DAY


def rebuild_day(*, day: datetime) -> int:
    """Replace the figures of a day, and of its hours where they are kept, by a recount; return how many events.

    One transaction: nobody sees a day half made.
    """
    with transaction.atomic():
        lock_figures()
        events = Event.objects.filter(created_at__gte=day, created_at__lt=day + _DAY)
        # What comes in from here on is left to the counting job.
        events.uncounted().update(counted=True)
        hours: dict[Key, Sum] = {}
        for number in range(24):
            _recount_hour(day + number * _HOUR, hours)
        digests = Digest.objects.filter(interval__in=INTERVALS)
        for figures in (HourlyStat.objects.all(), DailyStat.objects.all(), digests):
            stale = figures.filter(start__gte=day, start__lt=day + _DAY)
            stale._raw_delete(stale.db)  # noqa: SLF001 - nothing refers to figures
        horizon = horizon_of(HOURLY)
        if horizon is None or day >= horizon:
            add_to_figures(HourlyStat, hours)
            add_to_digests("hour", hours)
        days = by_day(hours)
        add_to_figures(DailyStat, days)
        add_to_digests("day", days)
        recount_month(day=day)
    return sum(total.count for total in hours.values())


def _recount_hour(start: datetime, hours: dict[Key, Sum]) -> None:
    """Add an hour's counted events. The database sums them up: a day of a million events is no million rows here."""
    events = Event.objects.filter(created_at__gte=start, created_at__lt=start + _HOUR, counted=True)
    groups = events.order_by().values_list("user_id", "type", "code", "project_id")
    sums = {f"sum_{name}": SumOf(name) for name in NUMBERS}
    for user_id, event_type, code, project_id, count, *numbers in groups.annotate(n=Count("pk"), **sums):
        total_of(hours, Key(start, user_id, event_type, code, project_id), count, map(int, numbers))
    failures = events.filter(type__in=FAILURES)
    columns = ("user_id", "type", "code", "project_id", "created_at", "resource_id")
    for user_id, event_type, code, project_id, at, resource_id in failures.values_list(*columns).iterator():
        hours[Key(start, user_id, event_type, code, project_id)].note_latest(at, resource_id)
