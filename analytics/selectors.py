"""Selectors of stats: rollups plus the events that are not counted yet, so that results are exact and current.

Rollups and events are read by one statement: between two, the aggregation job could move events to the rollups.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import BigIntegerField, CharField, DateTimeField, F, QuerySet, Sum, TextField, UUIDField, Value
from django.db.models.functions import Cast

from accounts.models import User
from analytics.codec import decode, latest_pair, parse_entry_name
from analytics.models import (
    ALL_PROJECTS,
    FAILURES,
    STORAGE,
    AnalyticsEvent,
    AnalyticsEventType,
    MonthlyUsage,
    StatRollup,
)
from analytics.services.stats import HOURLY, complete_since_of, start_of_day
from analytics.time_ranges import TimeRange, split_by_interval

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_STARTED = AnalyticsEventType.RENDER_STARTED.value
# Default columns of the branches of the UNION. Rollups fill the last two, events and stored bytes the others.
_DEFAULTS: dict[str, Any] = {
    "type_": Value("", CharField()),
    "code_": Value("", CharField()),
    "duration": Value(0, BigIntegerField()),
    "work": Value(0, BigIntegerField()),
    "waited": Value(0, BigIntegerField()),
    "moved": Value(0, BigIntegerField()),
    "size": Value(0, BigIntegerField()),
    "example": Cast(Value(None), UUIDField()),
    "encoded": Value("", TextField()),
    "wait_buckets": Value("", TextField()),
}
_EVENT_COLUMNS = {
    "type_": F("type"),
    "code_": F("code"),
    "duration": F("duration_ms"),
    "work": F("work_ms"),
    "waited": F("waited_ms"),
    "moved": F("credits"),
    "size": F("size_bytes"),
    "example": F("resource_id"),
}
_TOP_USERS_SQL = (
    "SELECT user_id, sum(renders), sum(work_ms), sum(credits) FROM ({}) AS usage GROUP BY user_id ORDER BY 4 DESC, 1"
)
Aggregates = dict[tuple[str, str], "EventAggregate"]


@dataclass(slots=True)
class EventAggregate:
    """The count and the sums of events of one type and code. waits: counts by wait bucket.

    latest_at, latest_id: the latest failure, as returned by `codec.latest_pair`.
    """

    count: int = 0
    duration_ms: int = 0
    work_ms: int = 0
    waited_ms: int = 0
    credits: int = 0
    size_bytes: int = 0
    latest_at: str = ""
    latest_id: str = ""
    waits: dict[str, int] | None = field(default=None, kw_only=True)

    def add(self, other: EventAggregate) -> None:
        """Add another aggregate to this one, in place."""
        self.add_numbers(other)
        if other.latest_at and (other.latest_at, other.latest_id) > (self.latest_at, self.latest_id):
            self.latest_at, self.latest_id = other.latest_at, other.latest_id
        if other.waits:
            waits = self.waits = self.waits or {}
            for name, count in other.waits.items():
                waits[name] = waits.get(name, 0) + count

    def add_numbers(self, other: EventAggregate) -> None:
        """Add the count and the sums of another aggregate, but not its waits and its latest failure."""
        self.count += other.count
        self.duration_ms += other.duration_ms
        self.work_ms += other.work_ms
        self.waited_ms += other.waited_ms
        self.credits += other.credits
        self.size_bytes += other.size_bytes


@dataclass(slots=True)
class BucketedStats:
    """Aggregates by start of the bucket. stored_bytes: storage at the beginning of the time range."""

    time_range: TimeRange
    buckets: dict[datetime, Aggregates] = field(default_factory=dict)
    stored_bytes: int = 0


@dataclass(frozen=True, slots=True)
class StatScope:
    """Whose stats to read: all accounts, one account, or one project of that account."""

    user_id: UUID | None = None
    project_id: UUID | None = None

    def rollups(self, interval: str) -> QuerySet[StatRollup]:
        """Return the rollups of this scope."""
        assert self.user_id or not self.project_id, "a project needs its user"
        project_id = ALL_PROJECTS if self.project_id is None else self.project_id
        rows = StatRollup.objects.filter(project_id=project_id, interval=interval).order_by()
        return rows.filter(user__isnull=True) if self.user_id is None else rows.filter(user_id=self.user_id)

    def uncounted(self) -> QuerySet[AnalyticsEvent]:
        """Return the events of this scope that are not in the stats yet."""
        rows = AnalyticsEvent.objects.uncounted()
        if self.user_id is not None:
            rows = rows.filter(user_id=self.user_id)
        if self.project_id is not None:
            rows = rows.filter(project_id=self.project_id)
        return rows.order_by()


@dataclass(frozen=True, slots=True)
class TopUser:
    """Succeeded renders of an account. credits: hundredths."""

    username: str
    renders: int
    work_ms: int
    credits: int


def hourly_stats_since() -> datetime | None:
    """Return the time since which hourly stats are complete, None if none were deleted."""
    return complete_since_of(HOURLY)


def read_stats(
    time_range: TimeRange, scope: StatScope, types: Collection[str], *, with_storage: bool = False
) -> BucketedStats:
    """Return the buckets of these event types. with_storage: also the bytes stored before the time range."""
    stats = BucketedStats(time_range, {start: {} for start in time_range.starts()})
    wanted = frozenset(types)
    for at, event_type, code, *numbers, example, encoded, wait_buckets in _read(
        _branches(time_range, scope, types, with_storage)
    ):
        if encoded:
            _add_rollup(stats.buckets[at], wanted, encoded, wait_buckets)
        elif not event_type:
            stats.stored_bytes += numbers[-1]
        elif at < time_range.since:
            stats.stored_bytes += numbers[-1] if with_storage and event_type in STORAGE else 0
        elif at < time_range.until and event_type in wanted:
            _add_event(stats.buckets[time_range.bucket_of(at)], at, event_type, code, numbers, example)
    return stats


def top_users(time_range: TimeRange, *, limit: int = 10) -> list[TopUser]:
    """Return the accounts that spent most credits on renders in a time range, without uncounted events."""
    first, *others = usage_queries(time_range)
    sql, values = first.union(*others, all=True).query.sql_with_params()
    with connection.cursor() as cursor:
        # One more than the limit: one row may be the rollup of all accounts.
        cursor.execute(f"{_TOP_USERS_SQL.format(sql)} LIMIT {limit + 1:d}", values)
        best = [row for row in cursor.fetchall() if row[0] is not None][:limit]
    users = User.objects.in_bulk([UUID(str(account)) for account, *_ in best])
    return [
        TopUser(users[UUID(str(account))].username, int(renders), int(work_ms), int(paid))
        for account, renders, work_ms, paid in best
        if renders
    ]


def usage_queries(time_range: TimeRange) -> list[QuerySet[Any, Any]]:
    """Return queries of user id, renders, work and credits that together cover a time range.

    They include the rollups of all accounts (user NULL): with a condition on the user, SQLite would use an index that
    starts with it and scan all of history.
    """
    queries: list[QuerySet[Any, Any]] = []
    for interval, since, until in split_by_interval(time_range):
        rows: QuerySet[Any] = MonthlyUsage.objects.all()
        if interval != "month":
            rows = StatRollup.objects.filter(interval=interval, project_id=ALL_PROJECTS)
        rows = rows.filter(start__gte=since, start__lt=until).order_by()
        queries.append(rows.values_list("user_id", "renders", "work_ms", "credits"))
    return queries


def _branches(
    time_range: TimeRange, scope: StatScope, types: Collection[str], with_storage: bool
) -> list[QuerySet[Any]]:
    """Return the branches of the UNION; each selects `at` and the columns of _DEFAULTS."""
    within = {"start__gte": time_range.since, "start__lt": time_range.until}
    waits = {"wait_buckets": F("waits")} if _STARTED in types else {}
    rollups = scope.rollups(time_range.interval).filter(**within)
    branches = [_branch(rollups, at=F("start"), encoded=F("aggregates"), **waits)]
    if with_storage:
        long_ago = Value(_LONG_AGO, DateTimeField())
        midnight = start_of_day(time_range.since)
        branches.append(_stored(scope.rollups("day").filter(start__lt=midnight), long_ago))
        if midnight < time_range.since:
            hours = scope.rollups("hour").filter(start__gte=midnight, start__lt=time_range.since)
            branches.append(_stored(hours, long_ago))
    # Without a condition on time or type: uncounted events are few, but with one the planner picks another index of
    # the log and, for a long time range, reads all of it.
    branches.append(_branch(scope.uncounted(), at=F("created_at"), **_EVENT_COLUMNS))
    return branches


def _branch(rows: QuerySet[Any], at: Any, **columns: Any) -> QuerySet[Any]:
    selected: QuerySet[Any] = rows.annotate(at=at, **{**_DEFAULTS, **columns}).values_list("at", *_DEFAULTS)
    return selected


def _stored(rows: QuerySet[Any], at: Any) -> QuerySet[Any]:
    """Return one row with the change of the storage."""
    groups = rows.annotate(at=at).values("at").annotate(**{**_DEFAULTS, "size": Sum("stored_bytes")})
    selected: QuerySet[Any] = groups.values_list("at", *_DEFAULTS)
    return selected


def _read(branches: list[QuerySet[Any]]) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of the UNION; bypasses Django's converters, which would double the time per row."""
    first, *others = branches
    sql, values = first.union(*others, all=True).query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        for at, *columns, size, example, encoded, wait_buckets in cursor.fetchall():
            # PostgreSQL sums bigint as numeric; a sum of no rows is NULL.
            yield _to_datetime(at), *columns, int(size or 0), _to_uuid(example), encoded, wait_buckets


def _to_datetime(value: Any) -> datetime:
    """Return an aware datetime. SQLite returns naive UTC, or text for a computed value."""
    moment: datetime = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _to_uuid(value: Any) -> UUID | None:
    return UUID(value) if isinstance(value, str) else value


def _add_rollup(bucket: Aggregates, wanted: frozenset[str], encoded: str, wait_buckets: str) -> None:
    for name, entry in decode(encoded).items():
        kind = parse_entry_name(name)
        if kind[0] in wanted:
            aggregate = EventAggregate(*entry)
            if kind[0] == _STARTED:
                aggregate.waits = decode(wait_buckets)
            present = bucket.setdefault(kind, aggregate)
            if present is not aggregate:
                present.add(aggregate)


def _add_event(bucket: Aggregates, at: datetime, event_type: str, code: str, numbers: list[Any], example: Any) -> None:
    aggregate = EventAggregate(1, *numbers)
    if event_type == _STARTED:
        # The code of this type is the wait bucket.
        aggregate.waits, code = {code: 1}, ""
    if event_type in FAILURES and example is not None:
        aggregate.latest_at, aggregate.latest_id = latest_pair(at, example)
    bucket.setdefault((event_type, code), EventAggregate()).add(aggregate)
