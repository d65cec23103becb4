"""What each account rendered, by the month."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db.models import Sum as SumOf

from analytics.models import ALL_PROJECTS, NUMBERS, Digest, EventType, MonthlyUse
from analytics.services.sums import Sums
from analytics.spans import month_of, next_month

_WORK, _CREDITS = NUMBERS.index("work_ms"), NUMBERS.index("credits")
_COLUMNS = ("renders", "work_ms", "credits")
_ROWS_A_STATEMENT = 500


class Use(NamedTuple):
    """In the order of the columns."""

    renders: int
    work_ms: int
    credits: int

    def plus(self, *other: int) -> Use:
        """Return the sum."""
        return Use(*(one + two for one, two in zip(self, other, strict=True)))


Uses = Mapping[tuple[datetime, UUID], Use]
_NOTHING = Use(0, 0, 0)


def add_to_months(sums: Sums) -> None:
    """Add what succeeded to the months of its accounts, made where there are none. The caller holds the lock."""
    uses: dict[tuple[datetime, UUID], Use] = {}
    for key, value in sums.items():
        if key.type == EventType.RENDER_SUCCEEDED:
            place = month_of(key.start), key.user_id
            added = value.count, value.numbers[_WORK], value.numbers[_CREDITS]
            uses[place] = uses.get(place, _NOTHING).plus(*added)
    there = MonthlyUse.objects.filter(
        start__in={start for start, _ in uses}, user_id__in={user_id for _, user_id in uses}
    )
    for start, user_id, *numbers in there.values_list("start", "user_id", *_COLUMNS):
        if (start, user_id) in uses:
            uses[start, user_id] = uses[start, user_id].plus(*numbers)
    _write(uses)


def recount_month(*, day: datetime) -> None:
    """Replace the month of a day by the sums of its days. The caller holds the lock."""
    start = month_of(day)
    stale = MonthlyUse.objects.filter(start=start)
    stale._raw_delete(stale.db)  # noqa: SLF001 - nothing refers to figures
    days = Digest.objects.filter(
        interval="day", project_id=ALL_PROJECTS, user__isnull=False, start__gte=start, start__lt=next_month(start)
    )
    groups = days.filter(renders__gt=0).order_by().values_list("user_id")
    sums = groups.annotate(*(SumOf(name) for name in _COLUMNS))
    # PostgreSQL sums 64-bit integers as decimals.
    _write({(start, user_id): Use(*map(int, numbers)) for user_id, *numbers in sums})


def _write(uses: Uses) -> None:
    rows = [
        MonthlyUse(start=start, user_id=user_id, **dict(zip(_COLUMNS, use, strict=True)))
        for (start, user_id), use in sorted(uses.items())
    ]
    MonthlyUse.objects.bulk_create(
        rows,
        batch_size=_ROWS_A_STATEMENT,
        update_conflicts=True,
        update_fields=_COLUMNS,
        unique_fields=["start", "user"],
    )
