"""Aggregation of uncounted events into the stats, rollups and monthly usage."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from analytics.models import FAILURES, MEASURES, AnalyticsEvent, DailyStat, HourlyStat
from analytics.services.monthly_usage import add_to_monthly_usage
from analytics.services.rollups import add_to_rollups
from analytics.services.stats import (
    StatIncrement,
    StatKey,
    add_events,
    add_to_stats,
    group_by_day,
    lock_stats,
    start_of_hour,
)

# One batch holds the write lock of SQLite for some 40 ms.
BATCH = 2000


def aggregate_events(*, limit: int = BATCH) -> int:
    """Add one batch of events to the stats; return the number of events.

    The events are marked in the transaction that adds them, so that each is counted once even if a worker is killed.
    No cursor is stored, so that an event whose transaction commits late is not skipped.
    """
    if not AnalyticsEvent.objects.uncounted().exists():
        # Checked outside the transaction, which takes the write lock of SQLite at BEGIN.
        return 0
    with transaction.atomic():
        lock_stats()
        rows = AnalyticsEvent.objects.uncounted().order_by("user_id", "created_at")
        columns = ("pk", "created_at", "user_id", "type", "code", "project_id", "resource_id", *MEASURES)
        event_ids: list[UUID] = []
        hours: dict[StatKey, StatIncrement] = {}
        for pk, at, user_id, event_type, code, project_id, resource_id, *numbers in rows.values_list(*columns)[:limit]:
            event_ids.append(pk)
            total = add_events(hours, StatKey(start_of_hour(at), user_id, event_type, code, project_id), 1, numbers)
            if event_type in FAILURES:
                total.note_latest(at, resource_id)
        days = group_by_day(hours)
        add_to_stats(HourlyStat, hours)
        add_to_rollups("hour", hours)
        add_to_stats(DailyStat, days)
        add_to_rollups("day", days)
        add_to_monthly_usage(days)
        marked = AnalyticsEvent.objects.uncounted().filter(pk__in=event_ids).update(counted=True)
        assert marked == len(event_ids), "events were marked without the lock"
    return marked
