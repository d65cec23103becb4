"""How routes did over time, for charts."""

from __future__ import annotations

from dataclasses import dataclass

from core.sketch import Buckets, add_encoded, quantiles
from monitoring.models import RouteMetric
from monitoring.performance.monitor import Unwritten
from monitoring.performance.recorder import Cell
from monitoring.performance.windows import Window
from monitoring.performance.writing import moment_of

SLOTS = 48


@dataclass(slots=True)
class Slot:
    """One step of a chart."""

    count: int = 0
    failed: int = 0
    buckets: Buckets | None = None

    def add(self, status_class: int, count: int) -> None:
        """Count requests."""
        self.count += count
        self.failed += count if status_class == 5 else 0

    @property
    def p95_ms(self) -> float:
        """Return the 95th percentile, 0 where nothing was served."""
        (found,) = quantiles(self.buckets or {}, [0.95])
        return (found or 0.0) / 1000


Key = tuple[str, str]


def series_in(window: Window, unwritten: Unwritten) -> dict[Key, list[Slot]]:
    """Return each route's steps over a window, the first to the last."""
    found: dict[Key, list[Slot]] = {}
    step_s = max(60.0, (window.end - window.start).total_seconds() / SLOTS)

    def slot(route: str, method: str, seconds: float) -> Slot:
        steps = found.setdefault((route, method), [Slot() for _ in range(SLOTS)])
        return steps[min(SLOTS - 1, int((seconds - window.start.timestamp()) / step_s))]

    mine = {place.minute * 60 for place in unwritten.cells}
    rows = RouteMetric.objects.filter(started_at__gte=window.start, started_at__lt=window.end)
    columns = ("started_at", "process", "route", "method", "status_class", "count", "sketch")
    for started_at, process, route, method, status_class, count, sketch in rows.values_list(*columns).iterator():
        seconds = started_at.timestamp()
        if process == unwritten.token and int(seconds) in mine:
            continue
        step = slot(route, method, seconds)
        step.add(status_class, count)
        step.buckets = step.buckets or {}
        add_encoded(step.buckets, sketch)
    for place, cell in unwritten.cells.items():
        if window.start <= moment_of(place.minute * 60) < window.end:
            _add_cell(slot(place.route, place.method, place.minute * 60), place.status_class, cell)
    return found


def _add_cell(step: Slot, status_class: int, cell: Cell) -> None:
    step.add(status_class, cell.count)
    step.buckets = step.buckets or {}
    for bucket, count in cell.buckets.items():
        step.buckets[bucket] = step.buckets.get(bucket, 0) + count
