"""Timings of the current request: SQL, cache, and waiting that the client asked for.

Code that spends time adds it here; the performance monitor, which lower layers must not import, sets and reads
`current`. Outside of requests (commands, workers, background threads) nothing is measured.
"""

from __future__ import annotations

import time
from contextvars import ContextVar

# More than a request should ever need; of later statements only the time is counted.
MAX_STATEMENTS = 500


class RequestTimings:
    """Nanoseconds of one request by category. statements: each SQL text with its time."""

    __slots__ = ("cache_ns", "queries", "sql_ns", "statements", "waited_ns")

    def __init__(self) -> None:
        self.sql_ns = 0
        self.cache_ns = 0
        self.waited_ns = 0
        self.queries = 0
        self.statements: list[tuple[str, int]] = []

    def add_statement(self, sql: str, took_ns: int) -> None:
        """Add an SQL statement and its time."""
        self.sql_ns += took_ns
        self.queries += 1
        if self.queries <= MAX_STATEMENTS:
            self.statements.append((sql, took_ns))


current: ContextVar[RequestTimings | None] = ContextVar("request_timings", default=None)


class _Timer:
    """Adds the time of its block to an attribute of the current timings. A generator would cost three times as much."""

    __slots__ = ("_began", "_member", "_timings")

    def __init__(self, member: str) -> None:
        self._member = member

    def __enter__(self) -> None:
        self._timings = current.get()
        self._began = time.perf_counter_ns()

    def __exit__(self, *failure: object) -> None:
        if self._timings is not None:
            took_ns = time.perf_counter_ns() - self._began
            setattr(self._timings, self._member, getattr(self._timings, self._member) + took_ns)


def timed_cache() -> _Timer:
    """Count the time of the block as cache time."""
    return _Timer("cache_ns")


def timed_client_wait() -> _Timer:
    """Count the time of the block as a long poll, excluded from latencies and the log of slow requests."""
    return _Timer("waited_ns")
