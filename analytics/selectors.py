"""Reads of the stats. What is not counted yet is added from the log, so that every answer is exact and current.

Stats and log are read by one statement: between two, the counting job could move events from one to the other.
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
# What a branch of the statement gives, unless it says something else. A rollup fills the last two; events and what
# was stored before fill the others.
_NONE: dict[str, Any] = {
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
_OF_EVENTS = {
    "type_": F("type"),
    "code_": F("code"),
    "duration": F("duration_ms"),
    "work": F("work_ms"),
    "waited": F("waited_ms"),
    "moved": F("credits"),
    "size": F("size_bytes"),
    "example": F("resource_id"),
}
_BUSIEST = (
    "SELECT user_id, sum(renders), sum(work_ms), sum(credits) FROM ({}) AS usage GROUP BY user_id ORDER BY 4 DESC, 1"
)
Aggregates = dict[tuple[str, str], "EventAggregate"]


@dataclass(slots=True)
class EventAggregate:
    """How many events of one kind, and the sums of their numbers. waits: how many of each wait bucket.

    latest_at, latest_id: of the newest failure, as `codec.latest_pair` gives it.
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
        """Add another aggregate to this one."""
        self.add_numbers(other)
        if other.latest_at and (other.latest_at, other.latest_id) > (self.latest_at, self.latest_id):
            self.latest_at, self.latest_id = other.latest_at, other.latest_id
        if other.waits:
            waits = self.waits = self.waits or {}
            for name, count in other.waits.items():
                waits[name] = waits.get(name, 0) + count

    def add_numbers(self, other: EventAggregate) -> None:
        """Add the count and the sums of another aggregate, neither waits nor the newest failure."""
        self.count += other.count
        self.duration_ms += other.duration_ms
        self.work_ms += other.work_ms
        self.waited_ms += other.waited_ms
        self.credits += other.credits
        self.size_bytes += other.size_bytes


@dataclass(slots=True)
class BucketedStats:
    """The buckets of a time range: by beginning of the bucket, type and code. stored_bytes: before the time range."""

    time_range: TimeRange
    buckets: dict[datetime, Aggregates] = field(default_factory=dict)
    stored_bytes: int = 0


@dataclass(frozen=True, slots=True)
class StatScope:
    """Whose stats: of one user, one project of that user, or of all."""

    user_id: UUID | None = None
    project_id: UUID | None = None

    def rollups(self, interval: str) -> QuerySet[StatRollup]:
        """Return the rollups of this scope."""
        assert self.user_id or not self.project_id, "a project is some user's"
        project_id = ALL_PROJECTS if self.project_id is None else self.project_id
        rows = StatRollup.objects.filter(project_id=project_id, interval=interval).order_by()
        return rows.filter(user__isnull=True) if self.user_id is None else rows.filter(user_id=self.user_id)

    def uncounted(self) -> QuerySet[AnalyticsEvent]:
        """Return the events of this scope that are not counted yet."""
        rows = AnalyticsEvent.objects.uncounted()
        if self.user_id is not None:
            rows = rows.filter(user_id=self.user_id)
        if self.project_id is not None:
            rows = rows.filter(project_id=self.project_id)
        return rows.order_by()


@dataclass(frozen=True, slots=True)
class TopUser:
    """What an account rendered. credits: hundredths."""

    username: str
    renders: int
    work_ms: int
    credits: int


def hourly_stats_since() -> datetime | None:
    """Return how far back the stats of hours go, None for all."""
    return complete_since_of(HOURLY)


def read_stats(
    time_range: TimeRange, scope: StatScope, types: Collection[str], *, with_storage: bool = False
) -> BucketedStats:
    """Return the buckets of these types. with_storage: what the storage held before the time range as well."""
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
    """Return the accounts that paid most for renders in a time range, as far as it is counted."""
    first, *others = usage_queries(time_range)
    sql, values = first.union(*others, all=True).query.sql_with_params()
    with connection.cursor() as cursor:
        # One more than asked for, as one of them may be that of all accounts.
        cursor.execute(f"{_BUSIEST.format(sql)} LIMIT {limit + 1:d}", values)
        best = [row for row in cursor.fetchall() if row[0] is not None][:limit]
    users = User.objects.in_bulk([UUID(str(account)) for account, *_ in best])
    return [
        TopUser(users[UUID(str(account))].username, int(renders), int(work_ms), int(paid))
        for account, renders, work_ms, paid in best
        if renders
    ]


def usage_queries(time_range: TimeRange) -> list[QuerySet[Any, Any]]:
    """Return queries of account, renders, work and credits that make up a time range; no account: all of them.

    Not even this is asked for: with a condition on the account, SQLite would read all of history in its order.
    """
    found: list[QuerySet[Any, Any]] = []
    for interval, since, until in split_by_interval(time_range):
        rows: QuerySet[Any] = MonthlyUsage.objects.all()
        if interval != "month":
            rows = StatRollup.objects.filter(interval=interval, project_id=ALL_PROJECTS)
        rows = rows.filter(start__gte=since, start__lt=until).order_by()
        found.append(rows.values_list("user_id", "renders", "work_ms", "credits"))
    return found


def _branches(
    time_range: TimeRange, scope: StatScope, types: Collection[str], with_storage: bool
) -> list[QuerySet[Any]]:
    """Return the queries that make up an answer; each of them has the columns of _NONE after the moment."""
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
    # All of them, whatever their time and type: they are few, and with a condition on these columns the databases
    # would rather read the log by another index, which is all of the log where the time range is long.
    branches.append(_branch(scope.uncounted(), at=F("created_at"), **_OF_EVENTS))
    return branches


def _branch(rows: QuerySet[Any], at: Any, **columns: Any) -> QuerySet[Any]:
    found: QuerySet[Any] = rows.annotate(at=at, **{**_NONE, **columns}).values_list("at", *_NONE)
    return found


def _stored(rows: QuerySet[Any], at: Any) -> QuerySet[Any]:
    """Return one row: by how much the storage grew."""
    groups = rows.annotate(at=at).values("at").annotate(**{**_NONE, "size": Sum("stored_bytes")})
    found: QuerySet[Any] = groups.values_list("at", *_NONE)
    return found


def _read(branches: list[QuerySet[Any]]) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of all queries, read past Django's converters, which take as long as all the rest of a row."""
    first, *others = branches
    sql, values = first.union(*others, all=True).query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        for at, *columns, size, example, encoded, wait_buckets in cursor.fetchall():
            # PostgreSQL sums 64-bit integers as decimals; nothing may sum up to NULL.
            yield _moment(at), *columns, int(size or 0), _id(example), encoded, wait_buckets


def _moment(value: Any) -> datetime:
    """Return a moment that SQLite knows without its zone, UTC; text where it is computed and no column."""
    moment: datetime = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _id(value: Any) -> UUID | None:
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
        # The code of an event is its wait bucket.
        aggregate.waits, code = {code: 1}, ""
    if event_type in FAILURES and example is not None:
        aggregate.latest_at, aggregate.latest_id = latest_pair(at, example)
    bucket.setdefault((event_type, code), EventAggregate()).add(aggregate)
