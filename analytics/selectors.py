"""Reads of the figures. What is in no figure yet is added from the log, so that every answer is exact and current.

Figures and log are read by one statement: between two, the counting job could move events from one to the other.
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
from analytics.models import ALL_PROJECTS, FAILURES, STORAGE, Digest, Event, EventType, MonthlyUse
from analytics.packing import kind_of, newest, unpack
from analytics.services.sums import HOURLY, day_of, horizon_of
from analytics.spans import Span, pieces

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_STARTED = EventType.RENDER_STARTED.value
# What a branch of the statement gives, unless it says something else. A digest fills the last two; events and what
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
    "packed": Value("", TextField()),
    "classes": Value("", TextField()),
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
    "SELECT user_id, sum(renders), sum(work_ms), sum(credits) FROM ({}) AS uses GROUP BY user_id ORDER BY 4 DESC, 1"
)
Kinds = dict[tuple[str, str], "Tally"]


@dataclass(slots=True)
class Tally:
    """How many events of one kind, and the sums of their numbers. waits: how many of each class.

    latest_at, latest_id: of the newest failure, as `packing.newest` gives it.
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

    def add(self, other: Tally) -> None:
        """Add another tally to this one."""
        self.add_numbers(other)
        if other.latest_at and (other.latest_at, other.latest_id) > (self.latest_at, self.latest_id):
            self.latest_at, self.latest_id = other.latest_at, other.latest_id
        if other.waits:
            waits = self.waits = self.waits or {}
            for name, count in other.waits.items():
                waits[name] = waits.get(name, 0) + count

    def add_numbers(self, other: Tally) -> None:
        """Add the count and the sums of another tally, neither waits nor the newest failure."""
        self.count += other.count
        self.duration_ms += other.duration_ms
        self.work_ms += other.work_ms
        self.waited_ms += other.waited_ms
        self.credits += other.credits
        self.size_bytes += other.size_bytes


@dataclass(slots=True)
class Figures:
    """The tallies of a span: by beginning of the bucket, type and code. stored_bytes: before the span."""

    span: Span
    tallies: dict[datetime, Kinds] = field(default_factory=dict)
    stored_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose figures: of one user, one project of that user, or of all."""

    user_id: UUID | None = None
    project_id: UUID | None = None

    def digests(self, interval: str) -> QuerySet[Digest]:
        """Return the digests of this scope."""
        assert self.user_id or not self.project_id, "a project is some user's"
        project_id = ALL_PROJECTS if self.project_id is None else self.project_id
        rows = Digest.objects.filter(project_id=project_id, interval=interval).order_by()
        return rows.filter(user__isnull=True) if self.user_id is None else rows.filter(user_id=self.user_id)

    def uncounted(self) -> QuerySet[Event]:
        """Return the events of this scope that are in no figure yet."""
        rows = Event.objects.uncounted()
        if self.user_id is not None:
            rows = rows.filter(user_id=self.user_id)
        if self.project_id is not None:
            rows = rows.filter(project_id=self.project_id)
        return rows.order_by()


@dataclass(frozen=True, slots=True)
class BusyUser:
    """What an account rendered. credits: hundredths."""

    username: str
    renders: int
    work_ms: int
    credits: int


def hours_kept_since() -> datetime | None:
    """Return how far back the figures of hours go, None for all."""
    return horizon_of(HOURLY)


def read_figures(span: Span, scope: Scope, types: Collection[str], *, with_storage: bool = False) -> Figures:
    """Return the tallies of these types. with_storage: what the storage held before the span as well."""
    figures = Figures(span, {start: {} for start in span.starts()})
    wanted = frozenset(types)
    for at, event_type, code, *numbers, example, packed, classes in _read(_branches(span, scope, types, with_storage)):
        if packed:
            _add_digest(figures.tallies[at], wanted, packed, classes)
        elif not event_type:
            figures.stored_bytes += numbers[-1]
        elif at < span.since:
            figures.stored_bytes += numbers[-1] if with_storage and event_type in STORAGE else 0
        elif at < span.until and event_type in wanted:
            _add_event(figures.tallies[span.bucket_of(at)], at, event_type, code, numbers, example)
    return figures


def top_users(span: Span, *, limit: int = 10) -> list[BusyUser]:
    """Return the accounts that paid most for renders in a span, as far as it is counted."""
    first, *others = uses_of(span)
    sql, values = first.union(*others, all=True).query.sql_with_params()
    with connection.cursor() as cursor:
        # One more than asked for, as one of them may be that of all accounts.
        cursor.execute(f"{_BUSIEST.format(sql)} LIMIT {limit + 1:d}", values)
        best = [row for row in cursor.fetchall() if row[0] is not None][:limit]
    users = User.objects.in_bulk([UUID(str(account)) for account, *_ in best])
    return [
        BusyUser(users[UUID(str(account))].username, int(renders), int(work_ms), int(paid))
        for account, renders, work_ms, paid in best
        if renders
    ]


def uses_of(span: Span) -> list[QuerySet[Any, Any]]:
    """Return queries of account, renders, work and credits that make up a span; no account stands for all of them.

    Not even this is asked for: with a condition on the account, SQLite would read all of history in its order.
    """
    found: list[QuerySet[Any, Any]] = []
    for interval, since, until in pieces(span):
        rows: QuerySet[Any] = MonthlyUse.objects.all()
        if interval != "month":
            rows = Digest.objects.filter(interval=interval, project_id=ALL_PROJECTS)
        rows = rows.filter(start__gte=since, start__lt=until).order_by()
        found.append(rows.values_list("user_id", "renders", "work_ms", "credits"))
    return found


def _branches(span: Span, scope: Scope, types: Collection[str], with_storage: bool) -> list[QuerySet[Any]]:
    """Return the queries that make up an answer; each of them has the columns of _NONE after the moment."""
    within = {"start__gte": span.since, "start__lt": span.until}
    waits = {"classes": F("waits")} if _STARTED in types else {}
    digests = scope.digests(span.interval).filter(**within)
    branches = [_branch(digests, at=F("start"), packed=F("kinds"), **waits)]
    if with_storage:
        long_ago = Value(_LONG_AGO, DateTimeField())
        midnight = day_of(span.since)
        branches.append(_stored(scope.digests("day").filter(start__lt=midnight), long_ago))
        if midnight < span.since:
            hours = scope.digests("hour").filter(start__gte=midnight, start__lt=span.since)
            branches.append(_stored(hours, long_ago))
    # All of them, whatever their time and type: they are few, and with a condition on these columns the databases
    # would rather read the log by another index, which is all of the log where the span is long.
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
        for at, *columns, size, example, packed, classes in cursor.fetchall():
            # PostgreSQL sums 64-bit integers as decimals; nothing may sum up to NULL.
            yield _moment(at), *columns, int(size or 0), _id(example), packed, classes


def _moment(value: Any) -> datetime:
    """Return a moment that SQLite knows without its zone, UTC; text where it is computed and no column."""
    moment: datetime = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _id(value: Any) -> UUID | None:
    return UUID(value) if isinstance(value, str) else value


def _add_digest(bucket: Kinds, wanted: frozenset[str], packed: str, classes: str) -> None:
    for name, entry in unpack(packed).items():
        kind = kind_of(name)
        if kind[0] in wanted:
            tally = Tally(*entry)
            if kind[0] == _STARTED:
                tally.waits = unpack(classes)
            present = bucket.setdefault(kind, tally)
            if present is not tally:
                present.add(tally)


def _add_event(bucket: Kinds, at: datetime, event_type: str, code: str, numbers: list[Any], example: Any) -> None:
    tally = Tally(1, *numbers)
    if event_type == _STARTED:
        # Of an event its code is the class.
        tally.waits, code = {code: 1}, ""
    if event_type in FAILURES and example is not None:
        tally.latest_at, tally.latest_id = newest(at, example)
    bucket.setdefault((event_type, code), Tally()).add(tally)
