"""Updates and rebuilds of the monthly usage of accounts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db.models import Sum

from analytics.models import ALL_PROJECTS, MEASURES, AnalyticsEventType, MonthlyUsage, StatRollup
from analytics.services.stats import StatIncrements
from analytics.time_ranges import start_of_month, start_of_next_month

_WORK, _CREDITS = MEASURES.index("work_ms"), MEASURES.index("credits")
_COLUMNS = ("renders", "work_ms", "credits")
_ROWS_PER_STATEMENT = 500


class MonthlyTotals(NamedTuple):
    """Sums of succeeded renders, in the order of _COLUMNS."""

    renders: int
    work_ms: int
    credits: int

    def plus(self, *other: int) -> MonthlyTotals:
        """Return the sum with other totals, column by column."""
        return MonthlyTotals(*(one + two for one, two in zip(self, other, strict=True)))


TotalsByMonth = Mapping[tuple[datetime, UUID], MonthlyTotals]
_ZERO = MonthlyTotals(0, 0, 0)


def add_to_monthly_usage(increments: StatIncrements) -> None:
    """Add succeeded renders to the months of their accounts. The caller holds `lock_stats`."""
    totals: dict[tuple[datetime, UUID], MonthlyTotals] = {}
    for key, value in increments.items():
        if key.type == AnalyticsEventType.RENDER_SUCCEEDED:
            month_key = start_of_month(key.start), key.user_id
            added = value.count, value.numbers[_WORK], value.numbers[_CREDITS]
            totals[month_key] = totals.get(month_key, _ZERO).plus(*added)
    existing = MonthlyUsage.objects.filter(
        start__in={start for start, _ in totals}, user_id__in={user_id for _, user_id in totals}
    )
    for start, user_id, *numbers in existing.values_list("start", "user_id", *_COLUMNS):
        if (start, user_id) in totals:
            totals[start, user_id] = totals[start, user_id].plus(*numbers)
    _write(totals)


def rebuild_month(*, day: datetime) -> None:
    """Replace the month of a day by the sums of its daily rollups. The caller holds `lock_stats`."""
    start = start_of_month(day)
    stale = MonthlyUsage.objects.filter(start=start)
    stale._raw_delete(stale.db)  # noqa: SLF001 - no foreign keys point to stats
    days = StatRollup.objects.filter(
        interval="day",
        project_id=ALL_PROJECTS,
        user__isnull=False,
        start__gte=start,
        start__lt=start_of_next_month(start),
    )
    groups = days.filter(renders__gt=0).order_by().values_list("user_id")
    sums = groups.annotate(*(Sum(name) for name in _COLUMNS))
    # PostgreSQL sums bigint as numeric.
    _write({(start, user_id): MonthlyTotals(*map(int, numbers)) for user_id, *numbers in sums})


def _write(totals: TotalsByMonth) -> None:
    rows = [
        MonthlyUsage(start=start, user_id=user_id, **dict(zip(_COLUMNS, values, strict=True)))
        for (start, user_id), values in sorted(totals.items())
    ]
    MonthlyUsage.objects.bulk_create(
        rows,
        batch_size=_ROWS_PER_STATEMENT,
        update_conflicts=True,
        update_fields=_COLUMNS,
        unique_fields=["start", "user"],
    )
