"""Helpers: a separate monitor with a fake clock."""

from __future__ import annotations

from typing import Any

from core.request_timings import RequestTimings
from monitoring.performance.aggregator import Aggregator, RequestObservation
from monitoring.performance.monitor import Monitor


class Clock:
    """A fake clock: Unix time that only the test advances."""

    def __init__(self, now: float = 1_790_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def make_monitor(clock: Clock) -> Monitor:
    """Return a monitor like that of another process, with its own token and aggregates."""
    monitor = Monitor()
    monitor.aggregator = Aggregator(monitor.token, clock=clock)
    monitor.clock = clock
    return monitor


def observation(took_us: int, **fields: Any) -> RequestObservation:
    """Return one observed request."""
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
