"""Counts of what happened in this process, for the metrics."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

from core.registry import Registry, itself

_counts: Counter[str] = Counter()
_lock = threading.Lock()
Follower = Callable[[str, int], None]
# Each is told of everything that is counted from its registration on.
followers = Registry[Follower, Follower]("follower", key=itself)


def count(name: str, amount: int = 1) -> None:
    """Add to a counter. name: as the metrics show it, e.g. `renderowl_ratelimit_errors_total`."""
    with _lock:
        _counts[name] += amount
    for follower in list(followers):
        follower(name, amount)


def counts() -> dict[str, int]:
    """Return all counters of this process."""
    with _lock:
        return dict(_counts)
