"""Months of accounts, and the same counted from the log event by event."""

from __future__ import annotations

from collections import Counter
from typing import Any

from analytics.models import AnalyticsEvent, MonthlyUsage


def recount_of_months() -> dict[tuple[Any, ...], tuple[int, ...]]:
    """Return what months must say, by month and user: renders, milliseconds of work, hundredths of credits."""
    sums: Counter[tuple[Any, ...]] = Counter()
    places = set()
    for event in AnalyticsEvent.objects.filter(type="render.succeeded").iterator():
        place = (event.created_at.strftime("%Y-%m"), event.user_id)
        places.add(place)
        for column, value in enumerate((1, event.work_ms, event.credits)):
            sums[*place, column] += value
    return {place: tuple(sums[*place, column] for column in range(3)) for place in places}


def months() -> dict[tuple[Any, ...], tuple[int, ...]]:
    """Return the rows of months in the shape of `recount_of_months`."""
    rows = MonthlyUsage.objects.values_list("start", "user_id", "renders", "work_ms", "credits")
    found = {(start.strftime("%Y-%m"), user_id): tuple(numbers) for start, user_id, *numbers in rows}
    assert len(found) == rows.count()
    return found
