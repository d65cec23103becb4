"""Bring the figures up to date."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from analytics.models import FAILURES, NUMBERS, DailyStat, Event, HourlyStat
from analytics.services.digests import add_to_digests
from analytics.services.months import add_to_months
from analytics.services.sums import Key, Sum, add_to_figures, by_day, hour_of, lock_figures, total_of

# The write lock of SQLite is held for one batch: some 40 ms.
BATCH = 2000


def count_events(*, limit: int = BATCH) -> int:
    """Add one batch of events to the figures; return how many.

    The events are marked in the transaction that adds them: each is added once, whoever is killed whenever. There is
    no position to be kept, so that an event whose transaction commits late is found like any other.
    """
    if not Event.objects.uncounted().exists():
        # Read before any transaction: SQLite's takes the write lock at BEGIN.
        return 0
    with transaction.atomic():
        lock_figures()
        rows = Event.objects.uncounted().order_by("user_id", "created_at")
        columns = ("pk", "created_at", "user_id", "type", "code", "project_id", "resource_id", *NUMBERS)
        taken: list[UUID] = []
        hours: dict[Key, Sum] = {}
        for pk, at, user_id, event_type, code, project_id, resource_id, *numbers in rows.values_list(*columns)[:limit]:
            taken.append(pk)
            total = total_of(hours, Key(hour_of(at), user_id, event_type, code, project_id), 1, numbers)
            if event_type in FAILURES:
                total.note_latest(at, resource_id)
        days = by_day(hours)
        add_to_figures(HourlyStat, hours)
        add_to_digests("hour", hours)
        add_to_figures(DailyStat, days)
        add_to_digests("day", days)
        add_to_months(days)
        marked = Event.objects.uncounted().filter(pk__in=taken).update(counted=True)
        assert marked == len(taken), "somebody marked events without the lock"
    return marked
