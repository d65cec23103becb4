"""Who wants to know of what is answered at the front door: the monitor and the metrics, which nobody may import."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from core.spent import Spent

# In a request's environment: what was spent before Django was asked, and since when (`perf_counter_ns`).
SPENT_BEFORE = "renderowl.spent_before"


class Served(NamedTuple):
    """A request and what became of it. route: the pattern, `(unmatched)` for none; view: as Django names it."""

    route: str
    view: str
    method: str
    status: int
    took_us: int
    size_bytes: int
    cache: str
    request_id: str
    spent: Spent


Observer = Callable[[Served], None]
observers: list[Observer] = []


def observe_served(observer: Observer) -> None:
    """Call `observer(served)` after each answer; twice is once."""
    if observer not in observers:
        observers.append(observer)
