"""Exports the counters of `core.counters` to Prometheus, summed over the processes of a server."""

from __future__ import annotations

import threading

from prometheus_client import Counter

_counters: dict[str, Counter] = {}
_guard = threading.Lock()


def predeclare(name: str) -> None:
    """Create a counter at zero: one that appears with its first event has no rate."""
    _counter(name)


def export(name: str, amount: int) -> None:
    """Add to a counter; observes `core.counters`."""
    _counter(name).inc(amount)


def _counter(name: str) -> Counter:
    with _guard:
        if name not in _counters:
            _counters[name] = Counter(name, f"{name.removesuffix('_total').replace('_', ' ').capitalize()}.")
        return _counters[name]
