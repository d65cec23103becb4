"""Counts of what happened in this process, for the metrics."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

_counts: Counter[str] = Counter()
_lock = threading.Lock()
Follower = Callable[[str, int], None]
_followers: list[Follower] = []


def count(name: str, amount: int = 1) -> None:
    """Add to a counter. name: as the metrics show it, e.g. `renderowl_ratelimit_errors_total`."""
    with _lock:
        _counts[name] += amount
        followers = list(_followers)
    for follower in followers:
        follower(name, amount)


def follow(follower: Follower) -> None:
    """Tell somebody of everything that is counted from now on; twice is once."""
    with _lock:
        if follower not in _followers:
            _followers.append(follower)


def counts() -> dict[str, int]:
    """Return all counters of this process."""
    with _lock:
        return dict(_counts)
