"""Counters of this process, for the metrics."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

from core.registry import Registry, identity

_counts: Counter[str] = Counter()
_lock = threading.Lock()
CounterObserver = Callable[[str, int], None]
# Each is called with the name and amount of every increment.
counter_observers = Registry[CounterObserver, CounterObserver]("observer", key=identity)


def count(name: str, amount: int = 1) -> None:
    """Add to a counter. name: as the metrics show it, e.g. `renderowl_ratelimit_errors_total`."""
    with _lock:
        _counts[name] += amount
    for observer in list(counter_observers):
        observer(name, amount)


def counts() -> dict[str, int]:
    """Return all counters of this process."""
    with _lock:
        return dict(_counts)
