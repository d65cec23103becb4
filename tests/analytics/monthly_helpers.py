"""Monthly usage of accounts, stored and computed from the event log."""

from __future__ import annotations

from collections import Counter
from typing import Any

from analytics.models import AnalyticsEvent, MonthlyUsage


def recount_of_months() -> dict[tuple[Any, ...], tuple[int, ...]]:
    """Return the expected usage by month and user: renders, milliseconds of work, hundredths of credits."""
    sums: Counter[tuple[Any, ...]] = Counter()
    keys = set()
    for event in AnalyticsEvent.objects.filter(type="render.succeeded").iterator():
        key = (event.created_at.strftime("%Y-%m"), event.user_id)
        keys.add(key)
        for column, value in enumerate((1, event.work_ms, event.credits)):
            sums[*key, column] += value
    return {key: tuple(sums[*key, column] for column in range(3)) for key in keys}


def months() -> dict[tuple[Any, ...], tuple[int, ...]]:
    """Return the stored usage in the shape of `recount_of_months`."""
    rows = MonthlyUsage.objects.values_list("start", "user_id", "renders", "work_ms", "credits")
    found = {(start.strftime("%Y-%m"), user_id): tuple(numbers) for start, user_id, *numbers in rows}
    assert len(found) == rows.count()
    return found
