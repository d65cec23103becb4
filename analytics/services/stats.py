"""Add events to the tables of stats."""

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
_ROWS_A_STATEMENT = 200
# The columns of the unique constraints.
_KEYS: dict[type[HourlyStat | DailyStat], str] = {
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
    """How many events, and the sums of their numbers in the order of MEASURES. waits: how many of each bucket."""

    count: int = 0
    numbers: list[int] = field(default_factory=lambda: [0] * len(MEASURES))
    latest_at: datetime | None = None
    latest_id: UUID | None = None
    waits: Counter[str] = field(default_factory=Counter)

    def add(self, count: int, numbers: Iterable[int]) -> None:
        """Add events."""
        self.count += count
        self.numbers = [old + new for old, new in zip(self.numbers, numbers, strict=True)]

    def note_latest(self, at: datetime | None, resource_id: UUID | None) -> None:
        """Take over what is newer; of two at one moment the greater id, so that any order gives the same."""
        if at is None or resource_id is None:
            return
        if self.latest_at is None or self.latest_id is None or (at, resource_id) > (self.latest_at, self.latest_id):
            self.latest_at, self.latest_id = at, resource_id


StatIncrements = Mapping[StatKey, StatIncrement]


def add_events(
    increments: dict[StatKey, StatIncrement], key: StatKey, count: int, numbers: Iterable[int]
) -> StatIncrement:
    """Add events to the sum of a key, and return it. The wait buckets share one sum."""
    if key.type == AnalyticsEventType.RENDER_STARTED:
        total = increments.setdefault(StatKey(key.start, key.user_id, key.type, "", key.project_id), StatIncrement())
        total.waits[key.code] += count
    else:
        total = increments.setdefault(key, StatIncrement())
    total.add(count, numbers)
    return total


def lock_stats() -> None:
    """Be the only one to write stats until the transaction ends.

    SQLite has one writer anyway; PostgreSQL locks the row. Two that add to the same rows in another order would wait
    for each other, and a recount must not meet events that are just being added.
    """
    RetentionWatermark.objects.get_or_create(name=HOURLY)
    RetentionWatermark.objects.select_for_update().get(name=HOURLY)


def complete_since_of(name: str) -> datetime | None:
    """Return since when a table is whole, None where nothing was ever deleted."""
    return RetentionWatermark.objects.filter(name=name).values_list("complete_since", flat=True).first()


def start_of_hour(moment: datetime) -> datetime:
    """Return the beginning of the hour."""
    return moment.replace(minute=0, second=0, microsecond=0)


def start_of_day(moment: datetime) -> datetime:
    """Return the beginning of the day."""
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def group_by_day(increments: StatIncrements) -> dict[StatKey, StatIncrement]:
    """Return the increments of hours as increments of days."""
    days: dict[StatKey, StatIncrement] = {}
    for key, value in increments.items():
        total = days.setdefault(StatKey(start_of_day(key.start), *key[1:]), StatIncrement())
        total.add(value.count, value.numbers)
        total.note_latest(value.latest_at, value.latest_id)
        total.waits += value.waits
    return days


def add_to_stats(model: type[HourlyStat | DailyStat], increments: StatIncrements) -> None:
    """Add increments to the rows of a table, made where there are none."""
    rows = sorted(increments.items())
    for first in range(0, len(rows), _ROWS_A_STATEMENT):
        _upsert(model, rows[first : first + _ROWS_A_STATEMENT])


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
    row_marks = f"({', '.join(['%s'] * len(columns))})"
    added = ", ".join(f"{name} = {table}.{name} + EXCLUDED.{name}" for name in ("count", *MEASURES))
    newer = (
        f"EXCLUDED.latest_at IS NOT NULL AND ({table}.latest_at IS NULL OR EXCLUDED.latest_at > {table}.latest_at"
        f" OR (EXCLUDED.latest_at = {table}.latest_at AND EXCLUDED.latest_id > {table}.latest_id))"
    )
    latest = ", ".join(
        f"{name} = CASE WHEN {newer} THEN EXCLUDED.{name} ELSE {table}.{name} END"
        for name in ("latest_at", "latest_id")
    )
    sql = (  # all names are constants of the models
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([row_marks] * len(rows))}"  # noqa: S608
        f" ON CONFLICT ({_KEYS[model]}) DO UPDATE SET {added}, {latest},"
        f" waits = CASE WHEN EXCLUDED.waits = '' THEN {table}.waits ELSE EXCLUDED.waits END"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def _stored_waits(
    model: type[HourlyStat | DailyStat], rows: list[tuple[StatKey, StatIncrement]]
) -> defaultdict[StatKey, Counter[str]]:
    """Return the waits that rows to be added to have already. Nobody else changes them: see `lock_stats`."""
    found: defaultdict[StatKey, Counter[str]] = defaultdict(Counter)
    keys = [key for key, value in rows if value.waits]
    if keys:
        starts, users = {key.start for key in keys}, {key.user_id for key in keys}
        there = model.objects.filter(
            type=AnalyticsEventType.RENDER_STARTED,
            code="",
            start__gte=min(starts),
            start__lte=max(starts),
            user_id__in=users,
        )
        for *key, text in there.values_list(*StatKey.__annotations__, "waits"):
            found[StatKey(*key)] = Counter(decode_waits(text))
    return found


def _for_database(value: Any) -> Any:
    """Return a value as the driver takes it. What fields do for this costs more than all the rest of an upsert."""
    if isinstance(value, UUID):
        return value if connection.features.has_native_uuid_field else value.hex
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return value
