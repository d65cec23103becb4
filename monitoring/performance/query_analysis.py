"""Analysis of the most expensive SQL statements and their query plans."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.utils import timezone

from monitoring.performance.aggregates import StatementAggregate, add_to
from monitoring.performance.monitor import monitor
from monitoring.performance.query_plans import explain_statement
from monitoring.performance.selectors import statements_in
from monitoring.performance.sketch import quantiles
from monitoring.performance.windows import HOUR_S, Window, floor_to, window_before

_IGNORED = ("EXPLAIN", "PREPARE", "DEALLOCATE", "SET LOCAL plan_cache_mode")


def analyze_statements(*, window_s: int, sort: str, limit: int, now: datetime | None = None) -> dict[str, Any]:
    """Return the most expensive normalized statements of a window, with their present query plans."""
    now = now or timezone.now()
    # Statements are aggregated by hour.
    start = floor_to(window_before(now, window_s, now).start, HOUR_S)
    totals: dict[str, StatementAggregate] = {}
    for (_, digest), aggregate in statements_in(Window(start, now), monitor.snapshot()):
        if not aggregate.normalized_sql.startswith(_IGNORED):
            add_to(totals, digest, aggregate)
    rows = [_row(runs) for runs in sorted(totals.values(), key=_RANKS[sort], reverse=True)[:limit]]
    return {
        "window_s": window_s,
        "from": start,
        "to": now,
        "sampled": False,
        "shapes": len(totals),
        "total_ms": sum(runs.total_us for runs in totals.values()) / 1000,
        "full_scans": sorted({table for row in rows for table in row["full_scans"]}),
        "statements": rows,
    }


def _p95_us(runs: StatementAggregate) -> float:
    """Return the 95th percentile, never above the slowest run."""
    (p95_us,) = quantiles(runs.buckets, [0.95])
    return min(p95_us or 0.0, runs.max_us)


_RANKS: dict[str, Callable[[StatementAggregate], float]] = {
    "total_ms": lambda runs: runs.total_us,
    "p95_ms": _p95_us,
    "max_ms": lambda runs: runs.max_us,
    "count": lambda runs: runs.count,
}
SORTS = tuple(_RANKS)


def _row(runs: StatementAggregate) -> dict[str, Any]:
    plan = explain_statement(runs.example)
    return {
        "sql": runs.normalized_sql,
        "count": runs.count,
        "total_ms": runs.total_us / 1000,
        "mean_ms": round(runs.total_us / max(runs.count, 1) / 1000, 4),
        "p95_ms": round(_p95_us(runs) / 1000, 4),
        "max_ms": runs.max_us / 1000,
        "route": runs.route,
        "plan": plan.lines,
        "full_scans": plan.full_scans,
        "note": plan.note or None,
    }
