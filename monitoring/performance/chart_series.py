"""Time series of routes, for charts."""

from __future__ import annotations

from dataclasses import dataclass, field

from monitoring.performance.aggregator import Snapshot
from monitoring.performance.selectors import requests_in
from monitoring.performance.sketch import Buckets, add_buckets, quantiles
from monitoring.performance.windows import Window

STEPS = 48


@dataclass(slots=True)
class ChartStep:
    """The requests of one time step."""

    count: int = 0
    failed: int = 0
    buckets: Buckets = field(default_factory=dict)

    @property
    def p95_ms(self) -> float:
        """Return the 95th percentile, 0 without requests."""
        (p95_us,) = quantiles(self.buckets, [0.95])
        return (p95_us or 0.0) / 1000


def series_in(window: Window, memory: Snapshot) -> dict[tuple[str, str], list[ChartStep]]:
    """Return the STEPS time steps of each (route, method) over a window, oldest first."""
    series: dict[tuple[str, str], list[ChartStep]] = {}
    step_s = max(60.0, (window.end - window.start).total_seconds() / STEPS)
    for (started_at, route, method, status_class), aggregate in requests_in(window, memory):
        steps = series.setdefault((route, method), [ChartStep() for _ in range(STEPS)])
        step = steps[min(STEPS - 1, int((started_at - window.start).total_seconds() / step_s))]
        step.count += aggregate.count
        step.failed += aggregate.count if status_class == 5 else 0
        add_buckets(step.buckets, aggregate.buckets)
    return series
