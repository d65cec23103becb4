"""Aggregates of requests and SQL statements, which add up across processes and time spans."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, ClassVar, NamedTuple, Self, TypeVar

from monitoring.performance.sketch import Buckets, add_buckets, add_encoded, bucket_of, encode
from monitoring.performance.windows import HOUR_S, MINUTE_S, moment_of

MAX_SLOWEST = 3
K = TypeVar("K")
A = TypeVar("A", bound="Aggregate")


class SeriesKey(NamedTuple):
    """The series that a request counts in. minute: whole minutes since 1970; status_class: 2 for 200..299."""

    minute: int
    route: str
    method: str
    status_class: int

    @property
    def started_at(self) -> datetime:
        """Return the start of the minute."""
        return moment_of(self.minute * MINUTE_S)


class StatementKey(NamedTuple):
    """The series that a statement counts in. hour: whole hours since 1970; digest: of the normalized statement."""

    hour: int
    digest: str

    @property
    def started_at(self) -> datetime:
        """Return the start of the hour."""
        return moment_of(self.hour * HOUR_S)


@dataclass(slots=True)
class Aggregate:
    """Counts, times in microseconds and a histogram. is_unwritten: changed since it was last written to its row.

    KEY: the columns that identify the series, besides process and time. SUMS, OTHERS: the fields that are columns,
    besides `max_us` and the histogram.
    """

    KEY: ClassVar[tuple[str, ...]] = ()
    SUMS: ClassVar[tuple[str, ...]] = ("count", "total_us")
    OTHERS: ClassVar[tuple[str, ...]] = ()

    count: int = 0
    total_us: int = 0
    max_us: int = 0
    buckets: Buckets = field(default_factory=dict)
    is_unwritten: bool = field(default=False, compare=False)

    @classmethod
    def column_names(cls) -> tuple[str, ...]:
        """Return the names of the columns that hold an aggregate."""
        return (*cls.SUMS, *cls.OTHERS, "max_us", "sketch")

    @classmethod
    def from_row(cls, row: Any) -> Self:
        """Create an aggregate from a row: a model instance, or a named tuple with these columns."""
        aggregate = cls(**{name: getattr(row, name) for name in (*cls.SUMS, *cls.OTHERS, "max_us")})
        add_encoded(aggregate.buckets, row.sketch)
        return aggregate

    def columns(self) -> dict[str, Any]:
        """Return the values of `column_names`."""
        values = {name: getattr(self, name) for name in (*self.SUMS, *self.OTHERS, "max_us")}
        return {**values, "sketch": encode(self.buckets)}

    def observe(self, took_us: int) -> None:
        """Add one run."""
        self.count += 1
        self.total_us += took_us
        bucket = bucket_of(took_us)
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1
        self.is_unwritten = True

    def add(self, other: Self) -> None:
        """Add the sums of another aggregate."""
        for name in self.SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.max_us = max(self.max_us, other.max_us)
        add_buckets(self.buckets, other.buckets)

    def copy(self) -> Self:
        """Return an independent copy."""
        return replace(self, buckets=dict(self.buckets))


@dataclass(slots=True)
class RequestAggregate(Aggregate):
    """The requests of one series. slowest: (microseconds, request id), slowest first; replaced, never mutated."""

    KEY: ClassVar[tuple[str, ...]] = ("route", "method", "status_class")
    SUMS: ClassVar[tuple[str, ...]] = (
        *("count", "total_us", "sql_us", "cache_us", "queries", "size_bytes"),
        *("cache_hits", "cache_lookups", "slow_count"),
    )
    OTHERS: ClassVar[tuple[str, ...]] = ("slowest",)

    sql_us: int = 0
    cache_us: int = 0
    queries: int = 0
    size_bytes: int = 0
    cache_hits: int = 0
    cache_lookups: int = 0
    slow_count: int = 0
    slowest: list[tuple[int, str]] = field(default_factory=list)

    def add(self, other: Self) -> None:
        """Add the requests of another aggregate, merging the slowest ones."""
        Aggregate.add(self, other)
        self.slowest = _slowest_of([*self.slowest, *other.slowest])

    def note_slowest(self, took_us: int, request_id: str) -> None:
        """Record the request if it is one of the slowest."""
        if len(self.slowest) < MAX_SLOWEST or took_us > self.slowest[-1][0]:
            self.slowest = _slowest_of([*self.slowest, (took_us, request_id)])
            self.max_us = max(self.max_us, took_us)


def _slowest_of(requests: list[tuple[int, str]]) -> list[tuple[int, str]]:
    return sorted(requests, key=lambda item: -item[0])[:MAX_SLOWEST]


@dataclass(slots=True)
class StatementAggregate(Aggregate):
    """The runs of one normalized statement. example: a text that was executed; route: of the slowest run."""

    KEY: ClassVar[tuple[str, ...]] = ("digest",)
    OTHERS: ClassVar[tuple[str, ...]] = ("normalized_sql", "example", "route")

    normalized_sql: str = ""
    example: str = ""
    route: str = ""

    def add(self, other: Self) -> None:
        """Add the runs of another aggregate, keeping the route of the slowest."""
        if other.max_us >= self.max_us:
            self.route = other.route
        Aggregate.add(self, other)

    def note_slowest(self, took_us: int, route: str) -> None:
        """Record the route of the run if it is the slowest."""
        if took_us >= self.max_us:
            self.max_us, self.route = took_us, route


def add_to(aggregates: dict[K, A], key: K, aggregate: A) -> None:
    """Add an aggregate to the one of its key; the first of a key is stored without a copy."""
    existing = aggregates.setdefault(key, aggregate)
    if existing is not aggregate:
        existing.add(aggregate)
