"""A monitor of a test's own, with a clock that the test moves."""

from __future__ import annotations

from typing import Any

from core.request_timings import RequestTimings
from monitoring.performance.aggregator import Aggregator, RequestObservation
from monitoring.performance.monitor import Monitor


class Clock:
    """Unix time that stands still until it is moved."""

    def __init__(self, now: float = 1_790_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def make_monitor(clock: Clock) -> Monitor:
    """A monitor as another process has it: its own token, its own sums."""
    made = Monitor()
    made.aggregator = Aggregator(made.token, clock=clock)
    made.clock = clock
    return made


def seen(took_us: int, **fields: Any) -> RequestObservation:
    """One request."""
    timings = RequestTimings()
    for name in ("sql_ns", "cache_ns", "queries", "statements"):
        if name in fields:
            setattr(timings, name, fields.pop(name))
    columns: dict[str, Any] = {
        "route": "/api/v2/renders",
        "method": "GET",
        "status": 200,
        "size_bytes": 10,
        "cache": "",
        "request_id": "request-id",
    }
    return RequestObservation(**{**columns, **fields}, took_us=took_us, timings=timings)
