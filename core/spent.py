"""Where the time of the request in progress goes: SQL, cache, deliberate waiting.

Whoever spends it says so here; the performance monitor, which nobody may import, opens and reads the account. Without a
request in progress (commands, workers, background threads) nothing is kept.
"""

from __future__ import annotations

import time
from contextvars import ContextVar

# More statements than a request should ever need; of what comes after only the time is kept.
MOST_STATEMENTS = 500


class Spent:
    """The account of one request, in nanoseconds. statements: each SQL text with its time."""

    __slots__ = ("cache_ns", "queries", "sql_ns", "statements", "waited_ns")

    def __init__(self) -> None:
        self.sql_ns = 0
        self.cache_ns = 0
        self.waited_ns = 0
        self.queries = 0
        self.statements: list[tuple[str, int]] = []

    def note_statement(self, sql: str, took_ns: int) -> None:
        """Add a statement."""
        self.sql_ns += took_ns
        self.queries += 1
        if self.queries <= MOST_STATEMENTS:
            self.statements.append((sql, took_ns))


current: ContextVar[Spent | None] = ContextVar("spent", default=None)


class spending_on_cache:  # noqa: N801 - reads like the function that it stands for, which was three times dearer
    """Count the time of the block as spent on the cache."""

    __slots__ = ("_began", "_spent")

    def __enter__(self) -> None:
        self._spent = current.get()
        if self._spent is not None:
            self._began = time.perf_counter_ns()

    def __exit__(self, *failure: object) -> None:
        if self._spent is not None:
            self._spent.cache_ns += time.perf_counter_ns() - self._began


class waiting_for_client:  # noqa: N801 - as above
    """Count the time of the block as waited because the client asked for it, as a long-poll does.

    It is no work: neither the latency of the route nor the log of slow requests has it.
    """

    __slots__ = ("_began", "_spent")

    def __enter__(self) -> None:
        self._spent = current.get()
        if self._spent is not None:
            self._began = time.perf_counter_ns()

    def __exit__(self, *failure: object) -> None:
        if self._spent is not None:
            self._spent.waited_ns += time.perf_counter_ns() - self._began
