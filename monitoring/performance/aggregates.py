"""Sums of requests and of SQL statements that can be added up: over requests, processes and spans of time."""

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
    """Where a request is counted. minute: whole minutes since 1970; status_class: 2 for 200..299."""

    minute: int
    route: str
    method: str
    status_class: int

    @property
    def started_at(self) -> datetime:
        """Return the beginning of its minute."""
        return moment_of(self.minute * MINUTE_S)


class StatementKey(NamedTuple):
    """Where a statement is counted. hour: whole hours since 1970; digest: names the normalized statement."""

    hour: int
    digest: str

    @property
    def started_at(self) -> datetime:
        """Return the beginning of its hour."""
        return moment_of(self.hour * HOUR_S)


@dataclass(slots=True)
class Aggregate:
    """How often and for how long, in microseconds. is_unwritten: its row, if there is one, is older than this.

    KEY: the columns that say what was aggregated, beside process and time. SUMS, OTHERS: the members that are columns
    too, beside `max_us` and the histogram.
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
        """Return the columns that hold an aggregate."""
        return (*cls.SUMS, *cls.OTHERS, "max_us", "sketch")

    @classmethod
    def from_row(cls, row: Any) -> Self:
        """Return what a row holds: a model, or a named tuple with these columns."""
        found = cls(**{name: getattr(row, name) for name in (*cls.SUMS, *cls.OTHERS, "max_us")})
        add_encoded(found.buckets, row.sketch)
        return found

    def columns(self) -> dict[str, Any]:
        """Return the values of the columns."""
        values = {name: getattr(self, name) for name in (*self.SUMS, *self.OTHERS, "max_us")}
        return {**values, "sketch": encode(self.buckets)}

    def observe(self, took_us: int) -> None:
        """Count one run."""
        self.count += 1
        self.total_us += took_us
        bucket = bucket_of(took_us)
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1
        self.is_unwritten = True

    def add(self, other: Self) -> None:
        """Add another aggregate."""
        for name in self.SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.max_us = max(self.max_us, other.max_us)
        add_buckets(self.buckets, other.buckets)

    def copy(self) -> Self:
        """Return the same sums apart."""
        return replace(self, buckets=dict(self.buckets))


@dataclass(slots=True)
class RequestAggregate(Aggregate):
    """The requests of one series. slowest: (microseconds, request id), slowest first; replaced, never changed."""

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
        """Add the requests of another aggregate."""
        Aggregate.add(self, other)
        self.slowest = _slowest_of([*self.slowest, *other.slowest])

    def note_slowest(self, took_us: int, request_id: str) -> None:
        """Keep a request that is one of the slowest."""
        if len(self.slowest) < MAX_SLOWEST or took_us > self.slowest[-1][0]:
            self.slowest = _slowest_of([*self.slowest, (took_us, request_id)])
            self.max_us = max(self.max_us, took_us)


def _slowest_of(found: list[tuple[int, str]]) -> list[tuple[int, str]]:
    return sorted(found, key=lambda item: -item[0])[:MAX_SLOWEST]


@dataclass(slots=True)
class StatementAggregate(Aggregate):
    """The runs of one normalized statement. example: a text as it was run; route: where the slowest run was."""

    KEY: ClassVar[tuple[str, ...]] = ("digest",)
    OTHERS: ClassVar[tuple[str, ...]] = ("normalized_sql", "example", "route")

    normalized_sql: str = ""
    example: str = ""
    route: str = ""

    def add(self, other: Self) -> None:
        """Add the runs of another aggregate."""
        if other.max_us >= self.max_us:
            self.route = other.route
        Aggregate.add(self, other)

    def note_slowest(self, took_us: int, route: str) -> None:
        """Keep the route of a run that is the slowest."""
        if took_us >= self.max_us:
            self.max_us, self.route = took_us, route


def add_to(found: dict[K, A], key: K, aggregate: A) -> None:
    """Add an aggregate to that of its key; the first of a key is kept itself, not copied."""
    known = found.setdefault(key, aggregate)
    if known is not aggregate:
        known.add(aggregate)
