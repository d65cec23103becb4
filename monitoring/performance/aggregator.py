"""The sums of what this process serves, kept in memory until they are safely in their rows.

A request appends one observation to a queue, which is atomic and waits for nothing. Every so many observations one of
the requests adds them all up: in a row, with code and sums warm in the processor, that is much cheaper than each on its
own. The sums of a minute only grow and replace its rows, so a write whose outcome is unknown is simply repeated.
Everything is bounded: observations, series, statements, slow requests.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from core.counters import count as count_event
from core.request_timings import RequestTimings
from monitoring.models import SlowRequest
from monitoring.performance.aggregates import Aggregate, RequestAggregate, SeriesKey, StatementAggregate, StatementKey
from monitoring.performance.routes import OTHER
from monitoring.performance.statements import normalize_statement
from monitoring.performance.windows import moment_of

# Routes are URL patterns, a few hundred: only what has no database for long comes near.
MAX_SERIES = 20_000
MAX_STATEMENTS = 400
MAX_SLOW = 200
# Few, as an observation holds the texts of its statements.
BATCH_SIZE = 64
# Without a database for longer than this the oldest minute is given up. Shorter than rows stay as they were written:
# what is written late never meets its own minute merged already.
MAX_MINUTES = 60
MINUTES_OF_HOUR = 60
K = TypeVar("K")
A = TypeVar("A", bound=Aggregate)
_CACHED = frozenset({"HIT", "REVALIDATED"})


class RequestObservation(NamedTuple):
    """One served request. cache: its `X-Cache`, empty for none."""

    route: str
    method: str
    status: int
    took_us: int
    size_bytes: int
    cache: str
    request_id: str
    timings: RequestTimings


@dataclass(slots=True)
class Snapshot:
    """Copies of sums. process: the token that names their process in its rows."""

    process: str
    series: dict[SeriesKey, RequestAggregate] = field(default_factory=dict)
    statements: dict[StatementKey, StatementAggregate] = field(default_factory=dict)
    slow: list[SlowRequest] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.series or self.statements or self.slow)


class Aggregator:
    """Adds up observations by minute and series, and their statements by hour and normalized text."""

    def __init__(self, process: str, *, clock: Callable[[], float] = time.time) -> None:
        self.process = process
        self.lost = 0
        self._added = 0
        self._clock = clock
        self._observations: deque[tuple[float, RequestObservation, bool]] = deque()
        self._lock = threading.Lock()
        self._series: dict[SeriesKey, RequestAggregate] = {}
        self._statements: dict[StatementKey, StatementAggregate] = {}
        self._slow: deque[SlowRequest] = deque(maxlen=MAX_SLOW)

    @property
    def requests(self) -> int:
        """Return how many requests were observed."""
        return self._added + len(self._observations)

    def observe(self, seen: RequestObservation, *, is_slow: bool) -> None:
        """Count one request."""
        self._observations.append((self._clock(), seen, is_slow))
        # A request that finds the lock taken leaves its observation to the holder, or to the next request.
        if len(self._observations) >= BATCH_SIZE and self._lock.acquire(blocking=False):
            try:
                self._add_up()
            finally:
                self._lock.release()

    def flush(self, *, with_statements: bool) -> Snapshot:
        """Return what has changed since it was last flushed, and take it for written."""
        with self._lock:
            self._add_up()
            found = Snapshot(self.process, _unwritten(self._series), slow=list(self._slow))
            self._slow.clear()
            if with_statements:
                found.statements = _unwritten(self._statements)
        return found

    def restore(self, flushed: Snapshot) -> None:
        """Take what was flushed for unwritten again."""
        with self._lock:
            for series in flushed.series.keys() & self._series.keys():
                self._series[series].is_unwritten = True
            for statement in flushed.statements.keys() & self._statements.keys():
                self._statements[statement].is_unwritten = True
            self._slow.extendleft(reversed(flushed.slow[: MAX_SLOW - len(self._slow)]))

    def forget_before(self, minute: int) -> None:
        """Forget past minutes that are written, and unwritten ones that are too old to keep."""
        with self._lock:
            for key in [key for key in self._series if key.minute < minute]:
                aggregate = self._series[key]
                if aggregate.is_unwritten and key.minute >= minute - MAX_MINUTES:
                    continue
                del self._series[key]
                if aggregate.is_unwritten:
                    self.lost += aggregate.count
                    count_event("renderowl_performance_lost_requests_total", aggregate.count)
            hour = minute // MINUTES_OF_HOUR
            for statement in [each for each in self._statements if each.hour < hour]:
                if not self._statements[statement].is_unwritten or statement.hour < hour - 1:
                    del self._statements[statement]

    def snapshot(self) -> Snapshot:
        """Return all sums in memory, written or not. They are more than the rows of the same time, never less."""
        with self._lock:
            self._add_up()
            series = {key: aggregate.copy() for key, aggregate in self._series.items()}
            return Snapshot(self.process, series, {key: each.copy() for key, each in self._statements.items()})

    def _add_up(self) -> None:
        """Add what was observed until now; what comes meanwhile may stay for the next time."""
        number = len(self._observations)
        for _ in range(number):
            moment, seen, is_slow = self._observations.popleft()
            minute, timings = int(moment // 60), seen.timings
            aggregate = self._series_of(SeriesKey(minute, seen.route, seen.method, seen.status // 100))
            aggregate.observe(seen.took_us)
            aggregate.note_slowest(seen.took_us, seen.request_id)
            aggregate.size_bytes += seen.size_bytes
            aggregate.cache_lookups += seen.cache not in {"", "BYPASS"}
            aggregate.cache_hits += seen.cache in _CACHED
            aggregate.cache_us += timings.cache_ns // 1000
            aggregate.sql_us += timings.sql_ns // 1000
            aggregate.queries += timings.queries
            if is_slow:
                aggregate.slow_count += 1
                self._slow.append(_slow_request(moment, seen))
            for sql, took_ns in timings.statements:
                statement = self._statement_of(minute // MINUTES_OF_HOUR, sql)
                statement.observe(took_ns // 1000)
                statement.note_slowest(took_ns // 1000, seen.route)
        self._added += number

    def _series_of(self, key: SeriesKey) -> RequestAggregate:
        found = self._series.get(key)
        if found is None:
            if len(self._series) >= MAX_SERIES:
                key = SeriesKey(key.minute, OTHER, key.method, key.status_class)
            found = self._series.setdefault(key, RequestAggregate())
        return found

    def _statement_of(self, hour: int, sql: str) -> StatementAggregate:
        normalized = normalize_statement(sql)
        found = self._statements.get(StatementKey(hour, normalized.digest))
        if found is None:
            if len(self._statements) >= MAX_STATEMENTS:
                normalized = normalize_statement(OTHER)
            key = StatementKey(hour, normalized.digest)
            found = self._statements.setdefault(
                key, StatementAggregate(normalized_sql=normalized.text, example=normalized.example)
            )
        return found


def _unwritten(aggregates: dict[K, A]) -> dict[K, A]:
    """Return copies of the unwritten aggregates, which are taken for written from now on."""
    found = {}
    for key, aggregate in aggregates.items():
        if aggregate.is_unwritten:
            found[key] = aggregate.copy()
            aggregate.is_unwritten = False
    return found


def _slow_request(moment: float, seen: RequestObservation) -> SlowRequest:
    return SlowRequest(
        at=moment_of(moment),
        route=seen.route,
        method=seen.method,
        status=seen.status,
        duration_ms=seen.took_us / 1000,
        sql_ms=seen.timings.sql_ns / 1e6,
        cache_ms=seen.timings.cache_ns / 1e6,
        queries=seen.timings.queries,
        request_id=seen.request_id[:64],
    )
