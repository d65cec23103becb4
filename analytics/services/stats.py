"""Increments of the hourly and daily stats, their upsert and their lock."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.utils import timezone

from analytics.models import MEASURES, AnalyticsEventType, DailyStat, HourlyStat, RetentionWatermark
from analytics.wait_histogram import decode_waits, encode_waits
from core.ids import uuid7

HOURLY, EVENTS = "hourly", "events"
_ROWS_PER_STATEMENT = 200
# The columns of the unique constraints.
_CONFLICT_COLUMNS: dict[type[HourlyStat | DailyStat], str] = {
    HourlyStat: "user_id, start, type, code, project_id",
    DailyStat: "start, user_id, type, code, project_id",
}


class StatKey(NamedTuple):
    """The unique key of a stat row."""

    start: datetime
    user_id: UUID
    type: str
    code: str
    project_id: UUID


@dataclass(slots=True)
class StatIncrement:
    """A count of events and their sums in the order of MEASURES. waits: counts by wait bucket."""

    count: int = 0
    numbers: list[int] = field(default_factory=lambda: [0] * len(MEASURES))
    latest_at: datetime | None = None
    latest_id: UUID | None = None
    waits: Counter[str] = field(default_factory=Counter)

    def add(self, count: int, numbers: Iterable[int]) -> None:
        """Add a count of events and their sums."""
        self.count += count
        self.numbers = [old + new for old, new in zip(self.numbers, numbers, strict=True)]

    def note_latest(self, at: datetime | None, resource_id: UUID | None) -> None:
        """Keep the later failure; of two at the same time the greater id, so that the order does not matter."""
        if at is None or resource_id is None:
            return
        if self.latest_at is None or self.latest_id is None or (at, resource_id) > (self.latest_at, self.latest_id):
            self.latest_at, self.latest_id = at, resource_id


StatIncrements = Mapping[StatKey, StatIncrement]


def add_events(
    increments: dict[StatKey, StatIncrement], key: StatKey, count: int, numbers: Iterable[int]
) -> StatIncrement:
    """Add events to the increment of a key and return it. All wait buckets share one increment."""
    if key.type == AnalyticsEventType.RENDER_STARTED:
        total = increments.setdefault(StatKey(key.start, key.user_id, key.type, "", key.project_id), StatIncrement())
        total.waits[key.code] += count
    else:
        total = increments.setdefault(key, StatIncrement())
    total.add(count, numbers)
    return total


def lock_stats() -> None:
    """Lock the stats for writing until the transaction ends.

    SQLite has a single writer; PostgreSQL locks the row. It prevents deadlocks between upserts of the same rows in
    another order, and a rebuild while events are being added.
    """
    RetentionWatermark.objects.get_or_create(name=HOURLY)
    RetentionWatermark.objects.select_for_update().get(name=HOURLY)


def complete_since_of(name: str) -> datetime | None:
    """Return the time since which a table is complete, None if nothing was deleted."""
    return RetentionWatermark.objects.filter(name=name).values_list("complete_since", flat=True).first()


def start_of_hour(moment: datetime) -> datetime:
    """Return the start of the hour."""
    return moment.replace(minute=0, second=0, microsecond=0)


def start_of_day(moment: datetime) -> datetime:
    """Return the start of the day."""
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def group_by_day(increments: StatIncrements) -> dict[StatKey, StatIncrement]:
    """Return hourly increments summed by day."""
    days: dict[StatKey, StatIncrement] = {}
    for key, value in increments.items():
        total = days.setdefault(StatKey(start_of_day(key.start), *key[1:]), StatIncrement())
        total.add(value.count, value.numbers)
        total.note_latest(value.latest_at, value.latest_id)
        total.waits += value.waits
    return days


def add_to_stats(model: type[HourlyStat | DailyStat], increments: StatIncrements) -> None:
    """Add increments to the rows of a table in batches of upserts."""
    rows = sorted(increments.items())
    for first in range(0, len(rows), _ROWS_PER_STATEMENT):
        _upsert(model, rows[first : first + _ROWS_PER_STATEMENT])


def _upsert(model: type[HourlyStat | DailyStat], rows: list[tuple[StatKey, StatIncrement]]) -> None:
    table = model._meta.db_table
    columns = ["id", "created_at", *StatKey.__annotations__, "count", *MEASURES, "latest_at", "latest_id", "waits"]
    now = timezone.now()
    stored = _stored_waits(model, rows)
    values: list[Any] = []
    for key, value in rows:
        counts = encode_waits(value.waits + stored[key]) if value.waits else ""
        row = (uuid7(), now, *key, value.count, *value.numbers, value.latest_at, value.latest_id, counts)
        values += map(_for_database, row)
    placeholders = f"({', '.join(['%s'] * len(columns))})"
    added = ", ".join(f"{name} = {table}.{name} + EXCLUDED.{name}" for name in ("count", *MEASURES))
    newer = (
        f"EXCLUDED.latest_at IS NOT NULL AND ({table}.latest_at IS NULL OR EXCLUDED.latest_at > {table}.latest_at"
        f" OR (EXCLUDED.latest_at = {table}.latest_at AND EXCLUDED.latest_id > {table}.latest_id))"
    )
    latest = ", ".join(
        f"{name} = CASE WHEN {newer} THEN EXCLUDED.{name} ELSE {table}.{name} END"
        for name in ("latest_at", "latest_id")
    )
    sql = (  # all names are constants
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([placeholders] * len(rows))}"  # noqa: S608
        f" ON CONFLICT ({_CONFLICT_COLUMNS[model]}) DO UPDATE SET {added}, {latest},"
        f" waits = CASE WHEN EXCLUDED.waits = '' THEN {table}.waits ELSE EXCLUDED.waits END"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def _stored_waits(
    model: type[HourlyStat | DailyStat], rows: list[tuple[StatKey, StatIncrement]]
) -> defaultdict[StatKey, Counter[str]]:
    """Return the stored waits of rows that increments add to. `lock_stats` excludes concurrent changes."""
    waits: defaultdict[StatKey, Counter[str]] = defaultdict(Counter)
    keys = [key for key, value in rows if value.waits]
    if keys:
        starts, users = {key.start for key in keys}, {key.user_id for key in keys}
        existing = model.objects.filter(
            type=AnalyticsEventType.RENDER_STARTED,
            code="",
            start__gte=min(starts),
            start__lte=max(starts),
            user_id__in=users,
        )
        for *key, text in existing.values_list(*StatKey.__annotations__, "waits"):
            waits[StatKey(*key)] = Counter(decode_waits(text))
    return waits


def _for_database(value: Any) -> Any:
    """Return a value as the driver expects it; model fields would more than double the time of an upsert."""
    if isinstance(value, UUID):
        return value if connection.features.has_native_uuid_field else value.hex
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return value
