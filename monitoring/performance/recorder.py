"""What this process has served since it was last asked: counts and histograms in memory.

A request appends one record to a list, which is atomic and waits for nobody. Every so many records one of the requests
adds them all up: in a row, with code and sums warm in the processor, that is much cheaper than each on its own.
Everything is bounded: records, cells, statements, slow requests.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from core.sketch import Buckets, add_buckets, add_values
from core.spent import Spent
from monitoring.performance.routes import OTHER
from monitoring.performance.statements import LONGEST_EXAMPLE

MOST_CELLS = 4000
MOST_STATEMENTS = 1000
MOST_SLOW = 200
KEPT_SLOWEST = 3
# Few, as a record holds the texts of its statements.
ADDED_AT_ONCE = 64
# Bounds the lists of times where nobody takes the sums for long.
SETTLED_AT_ONCE = 4096


class Place(NamedTuple):
    """Where a request is counted. minute: whole minutes since 1970; status_class: 2 for 200..299."""

    minute: int
    route: str
    method: str
    status_class: int


class Observation(NamedTuple):
    """One served request. cache: what `X-Cache` said, empty for nothing."""

    route: str
    method: str
    status: int
    took_us: int
    size_bytes: int
    cache: str
    request_id: str
    spent: Spent


class SlowCall(NamedTuple):
    """A request that took too long. at: Unix time."""

    at: float
    seen: Observation


@dataclass(slots=True)
class Cell:
    """The sum of the requests of one place. Times in microseconds; slowest: (time, request id), the slowest first.

    times: of requests that are in the other sums, but in `count`, `total_us` and `buckets` only once it is settled.
    """

    count: int = 0
    total_us: int = 0
    sql_us: int = 0
    cache_us: int = 0
    queries: int = 0
    size_bytes: int = 0
    cache_hits: int = 0
    cache_lookups: int = 0
    slow_count: int = 0
    max_us: int = 0
    buckets: Buckets = field(default_factory=dict)
    slowest: list[tuple[int, str]] = field(default_factory=list)
    # What a request has to exceed to be among the slowest.
    floor_us: int = -1
    times: list[int] = field(default_factory=list)

    def settle(self) -> None:
        """Add the times to the sums."""
        if not self.times:
            return
        self.count += len(self.times)
        self.total_us += sum(self.times)
        add_values(self.buckets, self.times)
        self.times.clear()

    def note_slowest(self, took_us: int, request_id: str) -> None:
        """Take a request that exceeds the floor among the slowest."""
        self.max_us = max(self.max_us, took_us)
        self._keep_slowest([*self.slowest, (took_us, request_id)])

    def _keep_slowest(self, found: list[tuple[int, str]]) -> None:
        self.slowest = sorted(found, key=_longest_first)[:KEPT_SLOWEST]
        self.floor_us = self.slowest[-1][0] if len(self.slowest) == KEPT_SLOWEST else -1

    def copy(self) -> Cell:
        """Return the same sums apart."""
        return replace(self, buckets=dict(self.buckets), slowest=list(self.slowest), times=list(self.times))

    def add(self, other: Cell) -> None:
        """Add the requests of another cell, both settled."""
        self.count += other.count
        self.total_us += other.total_us
        self.sql_us += other.sql_us
        self.cache_us += other.cache_us
        self.queries += other.queries
        self.size_bytes += other.size_bytes
        self.cache_hits += other.cache_hits
        self.cache_lookups += other.cache_lookups
        self.slow_count += other.slow_count
        self.max_us = max(self.max_us, other.max_us)
        add_buckets(self.buckets, other.buckets)
        self._keep_slowest([*self.slowest, *other.slowest])


def _longest_first(item: tuple[int, str]) -> int:
    return -item[0]


@dataclass(slots=True)
class StatementCell:
    """The sum of the runs of one SQL text. route: where the slowest run was; times: as in `Cell`."""

    count: int = 0
    total_us: int = 0
    max_us: int = 0
    route: str = ""
    buckets: Buckets = field(default_factory=dict)
    times: list[int] = field(default_factory=list)

    def settle(self) -> None:
        """Add the times to the sums."""
        if not self.times:
            return
        self.count += len(self.times)
        self.total_us += sum(self.times)
        add_values(self.buckets, self.times)
        self.times.clear()

    def copy(self) -> StatementCell:
        """Return the same sums apart."""
        return replace(self, buckets=dict(self.buckets), times=list(self.times))

    def add(self, other: StatementCell) -> None:
        """Add the runs of another cell, both settled."""
        self.count += other.count
        self.total_us += other.total_us
        if other.max_us >= self.max_us:
            self.max_us, self.route = other.max_us, other.route
        add_buckets(self.buckets, other.buckets)


@dataclass(slots=True)
class Taken:
    """What was recorded between two takings."""

    cells: dict[Place, Cell] = field(default_factory=dict)
    statements: dict[str, StatementCell] = field(default_factory=dict)
    slow: deque[SlowCall] = field(default_factory=lambda: deque(maxlen=MOST_SLOW))


class Recorder:
    """Adds up observations until somebody takes the sums."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._records: deque[tuple[float, Observation, bool]] = deque()
        self._adding = threading.Lock()
        self._now = Taken()
        self._unsettled = 0

    def observe(self, seen: Observation, *, is_slow: bool) -> None:
        """Count one request."""
        records = self._records
        records.append((self._clock(), seen, is_slow))
        # Whoever finds the lock taken leaves its record to the one that has it, or to the next.
        if len(records) >= ADDED_AT_ONCE and self._adding.acquire(blocking=False):
            try:
                self._add_up()
            finally:
                self._adding.release()

    def take(self) -> Taken:
        """Return the sums since the last call, and begin anew."""
        with self._adding:
            self._add_up()
            self._settle()
            taken, self._now = self._now, Taken()
        return taken

    def _add_up(self) -> None:
        """Add what was recorded until now to the sums; what comes meanwhile may stay for the next time."""
        pop, cells = self._records.popleft, self._now.cells
        number = len(self._records)
        for _ in range(number):
            moment, seen, is_slow = pop()
            route, method, status, took_us, size_bytes, cache, request_id, spent = seen
            minute = int(moment // 60)
            # Equal to a Place, and quicker made.
            cell = cells.get((minute, route, method, status // 100))  # type: ignore[call-overload]
            if cell is None:
                cell = self._new_cell(Place(minute, route, method, status // 100))
            cell.times.append(took_us)
            cell.size_bytes += size_bytes
            if cache:
                cell.cache_lookups += cache != "BYPASS"
                cell.cache_hits += cache in _HITS
            if spent.cache_ns:
                cell.cache_us += spent.cache_ns // 1000
            if took_us > cell.floor_us:
                cell.note_slowest(took_us, request_id)
            if is_slow:
                cell.slow_count += 1
                self._now.slow.append(SlowCall(moment, seen))
            cell.sql_us += spent.sql_ns // 1000
            cell.queries += spent.queries
            self._add_statements(spent.statements, route)
        self._unsettled += number
        if self._unsettled >= SETTLED_AT_ONCE:
            self._settle()

    def _add_statements(self, statements: list[tuple[str, int]], route: str) -> None:
        cells = self._now.statements
        for sql, took_ns in statements:
            cell = cells.get(sql)
            if cell is None:
                # Too long to be explained is enough to be told apart.
                key = sql[: LONGEST_EXAMPLE + 1] if len(cells) < MOST_STATEMENTS else OTHER
                cell = cells.setdefault(key, StatementCell())
            took_us = took_ns // 1000
            cell.times.append(took_us)
            if took_us >= cell.max_us:
                cell.max_us, cell.route = took_us, route

    def _settle(self) -> None:
        for cell in self._now.cells.values():
            cell.settle()
        for runs in self._now.statements.values():
            runs.settle()
        self._unsettled = 0

    def _new_cell(self, place: Place) -> Cell:
        if len(self._now.cells) >= MOST_CELLS:
            # Only where nobody takes the sums for long.
            place = Place(place.minute, OTHER, place.method, place.status_class)
        return self._now.cells.setdefault(place, Cell())


_HITS = frozenset({"HIT", "REVALIDATED"})
