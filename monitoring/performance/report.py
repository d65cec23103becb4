"""Performance report: routes over a window, compared with the previous window and the same one last week."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils import timezone

from monitoring.performance.aggregates import RequestAggregate
from monitoring.performance.aggregator import Snapshot
from monitoring.performance.monitor import monitor
from monitoring.performance.selectors import requests_in
from monitoring.performance.sketch import ERROR_BOUND, quantiles
from monitoring.performance.windows import Window, week_before, window_before

TOP = 10


@dataclass(slots=True)
class RouteTotals:
    """All requests of one route and method. client_errors: 4xx responses; failed: 5xx responses."""

    total: RequestAggregate = field(default_factory=RequestAggregate)
    client_errors: int = 0
    failed: int = 0

    def add(self, status_class: int, aggregate: RequestAggregate) -> None:
        """Add the requests of one status class."""
        self.total.add(aggregate)
        self.client_errors += aggregate.count if status_class == 4 else 0
        self.failed += aggregate.count if status_class == 5 else 0

    @property
    def error_rate(self) -> float:
        """Return the share of 5xx responses."""
        return self.failed / self.total.count if self.total.count else 0.0

    @property
    def client_error_rate(self) -> float:
        """Return the share of 4xx responses."""
        return self.client_errors / self.total.count if self.total.count else 0.0

    def percentiles_ms(self, *shares: float) -> list[float | None]:
        """Return percentiles (shares of 0 to 1, ascending), never above the slowest request."""
        values_us = quantiles(self.total.buckets, shares)
        return [None if value is None else round(min(value, self.total.max_us) / 1000, 4) for value in values_us]


TotalsByRoute = dict[tuple[str, str], RouteTotals]


@dataclass(frozen=True, slots=True)
class RouteReport:
    """Totals of routes over a window and the two windows to compare with."""

    window: Window
    previous_window: Window
    last_week_window: Window
    totals: TotalsByRoute
    previous: TotalsByRoute
    last_week: TotalsByRoute


def build_report(*, window_s: int, now: datetime | None = None) -> RouteReport:
    """Read the totals of the window that ends now, including those this process has not written yet."""
    now = now or timezone.now()
    # Before the rows are read: sums written in between are then in memory too, and counted once.
    memory = monitor.snapshot()
    window = window_before(now, window_s, now)
    before = window_before(window.start, window_s, now)
    last_week = week_before(window, now)
    windows = (window, before, last_week)
    return RouteReport(*windows, *(route_totals_in(each, memory) for each in windows))


def route_totals_in(window: Window, memory: Snapshot) -> TotalsByRoute:
    """Return the totals of every (route, method) in a window."""
    totals: TotalsByRoute = {}
    for (_, route, method, status_class), aggregate in requests_in(window, memory):
        totals.setdefault((route, method), RouteTotals()).add(status_class, aggregate)
    return totals


def all_routes(report: RouteReport) -> list[dict[str, Any]]:
    """Return all routes, busiest first."""
    return _rows(report, report.totals, lambda totals: totals.total.count)


def slow_routes(report: RouteReport) -> list[dict[str, Any]]:
    """Return the TOP routes by 95th percentile."""
    return _rows(report, report.totals, lambda totals: totals.percentiles_ms(0.95)[0] or 0.0)[:TOP]


def error_routes(report: RouteReport) -> list[dict[str, Any]]:
    """Return the TOP routes by the share of 5xx responses, then of 4xx responses."""
    faulty = {key: totals for key, totals in report.totals.items() if totals.failed or totals.client_errors}
    return _rows(report, faulty, lambda totals: (totals.error_rate, totals.client_error_rate))[:TOP]


def _rows(report: RouteReport, totals: TotalsByRoute, rank: Callable[[RouteTotals], Any]) -> list[dict[str, Any]]:
    ordered = sorted(totals, key=lambda key: (rank(totals[key]), totals[key].total.count), reverse=True)
    return [_row(report, route, method) for route, method in ordered]


def _row(report: RouteReport, route: str, method: str) -> dict[str, Any]:
    totals = report.totals[route, method]
    total = totals.total
    p50, p95, p99 = totals.percentiles_ms(0.5, 0.95, 0.99)
    return {
        "route": route,
        "method": method,
        "count": total.count,
        "requests_per_minute": round(total.count / report.window.minutes, 3),
        "error_rate": _share(totals.failed, total.count),
        "client_error_rate": _share(totals.client_errors, total.count),
        "cache_hit_rate": _share(total.cache_hits, total.cache_lookups),
        "cache_lookups": total.cache_lookups,
        "mean_ms": round(total.total_us / total.count / 1000, 4),
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "max_ms": total.max_us / 1000,
        "slow_count": total.slow_count,
        "sql_ms_share": _share(total.sql_us, total.total_us),
        "cache_ms_share": _share(total.cache_us, total.total_us),
        "queries_per_request": round(total.queries / total.count, 2),
        "bytes_per_request": round(total.size_bytes / total.count),
        "slowest_request_ids": [request_id for _, request_id in total.slowest if request_id],
        "previous": _comparison(report.previous.get((route, method)), report.previous_window),
        "last_week": _comparison(report.last_week.get((route, method)), report.last_week_window),
    }


def _comparison(totals: RouteTotals | None, window: Window) -> dict[str, Any]:
    if totals is None:
        return {"count": 0, "requests_per_minute": 0.0, "p95_ms": None, "error_rate": None}
    return {
        "count": totals.total.count,
        "requests_per_minute": round(totals.total.count / window.minutes, 3),
        "p95_ms": totals.percentiles_ms(0.95)[0],
        "error_rate": _share(totals.failed, totals.total.count),
    }


def _share(part: int, whole: int) -> float:
    return round(part / whole, 5) if whole else 0.0


def error_bound() -> float:
    """Return the maximum relative error of percentiles."""
    return ERROR_BOUND
