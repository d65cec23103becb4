"""Which SQL costs the most, and how the database runs it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils import timezone

from core.sketch import add_encoded, quantiles
from monitoring.models import StatementMetric
from monitoring.performance.monitor import monitor
from monitoring.performance.plans import plan_of
from monitoring.performance.recorder import StatementCell
from monitoring.performance.windows import HOUR_S, Window, floor_to, window_before
from monitoring.performance.writing import moment_of

SORTS = ("total_ms", "p95_ms", "max_ms", "count")
_OWN = ("EXPLAIN", "PREPARE", "DEALLOCATE", "SET LOCAL plan_cache_mode")


@dataclass(slots=True)
class Runs:
    """All runs of one shape."""

    shape: str
    example: str
    cell: StatementCell = field(default_factory=StatementCell)

    @property
    def p95_us(self) -> float:
        """Return the 95th percentile, never above the slowest run."""
        (found,) = quantiles(self.cell.buckets, [0.95])
        return min(found or 0.0, self.cell.max_us)

    def rank(self, sort: str) -> float:
        """Return what it is ordered by."""
        if sort == "p95_ms":
            return self.p95_us
        return {"total_ms": self.cell.total_us, "max_ms": self.cell.max_us, "count": self.cell.count}[sort]


def analyse_statements(*, window_s: int, sort: str, limit: int, now: datetime | None = None) -> dict[str, Any]:
    """Return the dearest shapes of a window with their plans, each asked for now."""
    now = now or timezone.now()
    # Runs are summed by the hour.
    start = floor_to(window_before(now, window_s, now).start, HOUR_S)
    found = _runs_in(Window(start, now))
    ordered = sorted(found.values(), key=lambda runs: runs.rank(sort), reverse=True)
    statements = [_row(runs) for runs in ordered[:limit]]
    return {
        "window_s": window_s,
        "from": start,
        "to": now,
        "sampled": False,
        "shapes": len(found),
        "total_ms": sum(runs.cell.total_us for runs in found.values()) / 1000,
        "full_scans": sorted({table for row in statements for table in row["full_scans"]}),
        "statements": statements,
    }


def _runs_in(window: Window) -> dict[str, Runs]:
    found: dict[str, Runs] = {}
    token = monitor.token
    unwritten = monitor.pending.snapshot_runs()
    mine = {(moment_of(hour * HOUR_S), digest) for hour, digest in unwritten}
    rows = StatementMetric.objects.filter(started_at__gte=window.start, started_at__lt=window.end)
    columns = ("started_at", "process", "digest", "shape", "example", "route", "count", "total_us", "max_us", "sketch")
    for started_at, process, digest, shape, example, route, *rest in rows.values_list(*columns).iterator():
        if shape.startswith(_OWN) or (process == token and (started_at, digest) in mine):
            continue
        count, total_us, max_us, sketch = rest
        cell = StatementCell(count, total_us, max_us, route)
        add_encoded(cell.buckets, sketch)
        found.setdefault(digest, Runs(shape, example)).cell.add(cell)
    for (hour, digest), (shape, cell) in unwritten.items():
        if window.start <= moment_of(hour * HOUR_S) < window.end and not shape.text.startswith(_OWN):
            found.setdefault(digest, Runs(shape.text, shape.example)).cell.add(cell)
    return found


def _row(runs: Runs) -> dict[str, Any]:
    cell = runs.cell
    plan = plan_of(runs.example)
    return {
        "sql": runs.shape,
        "count": cell.count,
        "total_ms": cell.total_us / 1000,
        "mean_ms": round(cell.total_us / max(cell.count, 1) / 1000, 4),
        "p95_ms": round(runs.p95_us / 1000, 4),
        "max_ms": cell.max_us / 1000,
        "route": cell.route,
        "plan": plan.lines,
        "full_scans": plan.full_scans,
        "note": plan.note or None,
    }
