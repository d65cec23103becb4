"""Timings of the request in progress: SQL, cache, and waiting that the client asked for.

Code that spends the time adds it here; the performance monitor, which lower layers must not import, sets `current` and
reads it. Outside of requests (commands, workers, background threads) nothing is measured.
"""

from __future__ import annotations

import time
from contextvars import ContextVar

# More statements than a request should ever need; of what comes after only the time is kept.
MAX_STATEMENTS = 500


class RequestTimings:
    """Nanoseconds of one request by where they went. statements: each SQL text with its time."""

    __slots__ = ("cache_ns", "queries", "sql_ns", "statements", "waited_ns")

    def __init__(self) -> None:
        self.sql_ns = 0
        self.cache_ns = 0
        self.waited_ns = 0
        self.queries = 0
        self.statements: list[tuple[str, int]] = []

    def add_statement(self, sql: str, took_ns: int) -> None:
        """Add a statement."""
        self.sql_ns += took_ns
        self.queries += 1
        if self.queries <= MAX_STATEMENTS:
            self.statements.append((sql, took_ns))


current: ContextVar[RequestTimings | None] = ContextVar("request_timings", default=None)


class _Timer:
    """Adds the time of its block to one member of the current timings. A generator would cost three times as much."""

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
    """Count the time of the block as spent on the cache."""
    return _Timer("cache_ns")


def timed_client_wait() -> _Timer:
    """Count the time of the block as waited because the client asked for it, as a long-poll does.

    It is no work: neither the latency of the route nor the log of slow requests includes it.
    """
    return _Timer("waited_ns")
