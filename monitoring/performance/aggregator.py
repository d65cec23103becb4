"""In-memory aggregation of this process's requests until they are written to the database.

A request appends one observation to a queue, which is atomic and never blocks. Once a batch is full, one request
aggregates all of it, which is much cheaper than doing so for each request. The sums of a minute only grow and replace
its rows, so a write whose outcome is unknown is simply repeated.
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

# Routes are a few hundred URL patterns: only a long database outage comes near this.
MAX_SERIES = 20_000
MAX_STATEMENTS = 400
MAX_SLOW = 200
# Small, as an observation holds the texts of its statements.
BATCH_SIZE = 64
# During a database outage older minutes are dropped. Shorter than the time before rows are merged, so that a late
# write never finds its own minute merged.
MAX_MINUTES = 60
MINUTES_OF_HOUR = 60
K = TypeVar("K")
A = TypeVar("A", bound=Aggregate)
_CACHE_HITS = frozenset({"HIT", "REVALIDATED"})


class RequestObservation(NamedTuple):
    """One served request. cache: its `X-Cache` header, empty without one."""

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
    """Copies of aggregates. process: the token that identifies the process in its rows."""

    process: str
    series: dict[SeriesKey, RequestAggregate] = field(default_factory=dict)
    statements: dict[StatementKey, StatementAggregate] = field(default_factory=dict)
    slow: list[SlowRequest] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.series or self.statements or self.slow)


class Aggregator:
    """Aggregates observations by minute and series, and their statements by hour and normalized text."""

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
        """Return the number of observed requests."""
        return self._added + len(self._observations)

    def observe(self, observation: RequestObservation, *, is_slow: bool) -> None:
        """Queue one request, and aggregate the queue if a batch is full."""
        self._observations.append((self._clock(), observation, is_slow))
        # A request that finds the lock held leaves its observation to the holder or to the next request.
        if len(self._observations) >= BATCH_SIZE and self._lock.acquire(blocking=False):
            try:
                self._aggregate_queue()
            finally:
                self._lock.release()

    def flush(self, *, with_statements: bool) -> Snapshot:
        """Return the aggregates changed since the last flush, and mark them as written."""
        with self._lock:
            self._aggregate_queue()
            flushed = Snapshot(self.process, _unwritten(self._series), slow=list(self._slow))
            self._slow.clear()
            if with_statements:
                flushed.statements = _unwritten(self._statements)
        return flushed

    def restore(self, flushed: Snapshot) -> None:
        """Mark flushed aggregates as unwritten again, after a failed write."""
        with self._lock:
            for series in flushed.series.keys() & self._series.keys():
                self._series[series].is_unwritten = True
            for statement in flushed.statements.keys() & self._statements.keys():
                self._statements[statement].is_unwritten = True
            self._slow.extendleft(reversed(flushed.slow[: MAX_SLOW - len(self._slow)]))

    def forget_before(self, minute: int) -> None:
        """Drop earlier minutes that are written, and unwritten ones that are too old."""
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
            for statement in [key for key in self._statements if key.hour < hour]:
                if not self._statements[statement].is_unwritten or statement.hour < hour - 1:
                    del self._statements[statement]

    def snapshot(self) -> Snapshot:
        """Return copies of all aggregates in memory, written or not: never older than the rows of the same minutes."""
        with self._lock:
            self._aggregate_queue()
            series = {key: aggregate.copy() for key, aggregate in self._series.items()}
            return Snapshot(self.process, series, {key: runs.copy() for key, runs in self._statements.items()})

    def _aggregate_queue(self) -> None:
        """Aggregate the observations queued so far; later ones may wait for the next call."""
        number = len(self._observations)
        for _ in range(number):
            moment, observation, is_slow = self._observations.popleft()
            minute, timings = int(moment // 60), observation.timings
            key = SeriesKey(minute, observation.route, observation.method, observation.status // 100)
            aggregate = self._series_of(key)
            aggregate.observe(observation.took_us)
            aggregate.note_slowest(observation.took_us, observation.request_id)
            aggregate.size_bytes += observation.size_bytes
            aggregate.cache_lookups += observation.cache not in {"", "BYPASS"}
            aggregate.cache_hits += observation.cache in _CACHE_HITS
            aggregate.cache_us += timings.cache_ns // 1000
            aggregate.sql_us += timings.sql_ns // 1000
            aggregate.queries += timings.queries
            if is_slow:
                aggregate.slow_count += 1
                self._slow.append(_slow_request(moment, observation))
            for sql, took_ns in timings.statements:
                statement = self._statement_of(minute // MINUTES_OF_HOUR, sql)
                statement.observe(took_ns // 1000)
                statement.note_slowest(took_ns // 1000, observation.route)
        self._added += number

    def _series_of(self, key: SeriesKey) -> RequestAggregate:
        aggregate = self._series.get(key)
        if aggregate is None:
            if len(self._series) >= MAX_SERIES:
                key = SeriesKey(key.minute, OTHER, key.method, key.status_class)
            aggregate = self._series.setdefault(key, RequestAggregate())
        return aggregate

    def _statement_of(self, hour: int, sql: str) -> StatementAggregate:
        normalized = normalize_statement(sql)
        runs = self._statements.get(StatementKey(hour, normalized.digest))
        if runs is None:
            if len(self._statements) >= MAX_STATEMENTS:
                normalized = normalize_statement(OTHER)
            runs = StatementAggregate(normalized_sql=normalized.text, example=normalized.example)
            runs = self._statements.setdefault(StatementKey(hour, normalized.digest), runs)
        return runs


def _unwritten(aggregates: dict[K, A]) -> dict[K, A]:
    """Return copies of the unwritten aggregates, and mark them as written."""
    copies = {}
    for key, aggregate in aggregates.items():
        if aggregate.is_unwritten:
            copies[key] = aggregate.copy()
            aggregate.is_unwritten = False
    return copies


def _slow_request(moment: float, observation: RequestObservation) -> SlowRequest:
    return SlowRequest(
        at=moment_of(moment),
        route=observation.route,
        method=observation.method,
        status=observation.status,
        duration_ms=observation.took_us / 1000,
        sql_ms=observation.timings.sql_ns / 1e6,
        cache_ms=observation.timings.cache_ns / 1e6,
        queries=observation.timings.queries,
        request_id=observation.request_id[:64],
    )
