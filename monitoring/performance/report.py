"""What was measured, for people and programs: routes over a window, beside the window before and that of last week."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils import timezone

from core.sketch import ERROR_BOUND, add_encoded, quantiles
from monitoring.models import RouteMetric
from monitoring.performance.monitor import Unwritten, monitor
from monitoring.performance.recorder import KEPT_SLOWEST, Cell
from monitoring.performance.windows import Window, week_before, window_before
from monitoring.performance.writing import moment_of

TOP = 10
_COLUMNS = (
    *("started_at", "process", "route", "method", "status_class", "count", "total_us", "sql_us", "cache_us", "queries"),
    *("size_bytes", "cache_hits", "cache_lookups", "slow_count", "max_us", "sketch", "slowest"),
)


@dataclass(slots=True)
class RouteSum:
    """All requests of one route and method. refused: answers 4xx; failed: answers 5xx."""

    cell: Cell = field(default_factory=Cell)
    refused: int = 0
    failed: int = 0

    def add(self, status_class: int, cell: Cell) -> None:
        """Add the requests of a status class."""
        self.cell.add(cell)
        self.refused += cell.count if status_class == 4 else 0
        self.failed += cell.count if status_class == 5 else 0

    @property
    def error_rate(self) -> float:
        """Return the share of answers 5xx."""
        return self.failed / self.cell.count if self.cell.count else 0.0

    @property
    def client_error_rate(self) -> float:
        """Return the share of answers 4xx."""
        return self.refused / self.cell.count if self.cell.count else 0.0

    def percentiles_ms(self, *shares: float) -> list[float | None]:
        """Return percentiles, never above the slowest request."""
        found = quantiles(self.cell.buckets, shares)
        return [None if value is None else round(min(value, self.cell.max_us) / 1000, 4) for value in found]


Sums = dict[tuple[str, str], RouteSum]


@dataclass(frozen=True, slots=True)
class Report:
    """Routes over a window, and what to compare them with."""

    window: Window
    previous_window: Window
    last_week_window: Window
    sums: Sums
    previous: Sums
    last_week: Sums


def build_report(*, window_s: int, now: datetime | None = None) -> Report:
    """Read the sums of the window that ends now, including what no process but this one has written yet."""
    now = now or timezone.now()
    # Before the rows: what is written in between is then in memory too, and left out below.
    unwritten = monitor.unwritten()
    window = window_before(now, window_s, now)
    before = window_before(window.start, window_s, now)
    last_week = week_before(window, now)
    return Report(
        window,
        before,
        last_week,
        sums_in(window, unwritten),
        sums_in(before, unwritten),
        sums_in(last_week, unwritten),
    )


def sums_in(window: Window, unwritten: Unwritten) -> Sums:
    """Return the sums of every route in a window."""
    sums: Sums = {}
    mine = {moment_of(place.minute * 60) for place in unwritten.cells}
    rows = RouteMetric.objects.filter(started_at__gte=window.start, started_at__lt=window.end)
    for row in rows.values_list(*_COLUMNS).iterator(chunk_size=2000):
        started_at, process, route, method, status_class, *rest = row
        if process == unwritten.token and started_at in mine:
            # The memory has all of it, and more.
            continue
        sums.setdefault((route, method), RouteSum()).add(status_class, _cell_of(rest))
    for place, cell in unwritten.cells.items():
        if window.start <= moment_of(place.minute * 60) < window.end:
            sums.setdefault((place.route, place.method), RouteSum()).add(place.status_class, cell)
    return sums


def _cell_of(values: list[Any]) -> Cell:
    *numbers, sketch, slowest = values
    cell = Cell(*numbers)
    add_encoded(cell.buckets, sketch)
    cell.slowest = [(int(took_us), str(request_id)) for took_us, request_id in slowest]
    return cell


def all_routes(report: Report) -> list[dict[str, Any]]:
    """Return every route, the busiest first."""
    return _rows(report, report.sums, lambda found: found.cell.count)


def slow_routes(report: Report) -> list[dict[str, Any]]:
    """Return the routes whose 95th percentile is the highest."""
    return _rows(report, report.sums, lambda found: found.percentiles_ms(0.95)[0] or 0.0)[:TOP]


def error_routes(report: Report) -> list[dict[str, Any]]:
    """Return the routes that failed most often, then those that refused most often."""
    faulty = {key: found for key, found in report.sums.items() if found.failed or found.refused}
    return _rows(report, faulty, lambda found: (found.error_rate, found.client_error_rate))[:TOP]


def _rows(report: Report, sums: Sums, rank: Callable[[RouteSum], Any]) -> list[dict[str, Any]]:
    ordered = sorted(sums, key=lambda key: (rank(sums[key]), sums[key].cell.count), reverse=True)
    return [_row(report, route, method) for route, method in ordered]


def _row(report: Report, route: str, method: str) -> dict[str, Any]:
    found = report.sums[route, method]
    cell = found.cell
    p50, p95, p99 = found.percentiles_ms(0.5, 0.95, 0.99)
    return {
        "route": route,
        "method": method,
        "count": cell.count,
        "requests_per_minute": round(cell.count / report.window.minutes, 3),
        "error_rate": _share(found.failed, cell.count),
        "client_error_rate": _share(found.refused, cell.count),
        "cache_hit_rate": _share(cell.cache_hits, cell.cache_lookups),
        "cache_lookups": cell.cache_lookups,
        "mean_ms": round(cell.total_us / cell.count / 1000, 4),
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "max_ms": cell.max_us / 1000,
        "slow_count": cell.slow_count,
        "sql_ms_share": _share(cell.sql_us, cell.total_us),
        "cache_ms_share": _share(cell.cache_us, cell.total_us),
        "queries_per_request": round(cell.queries / cell.count, 2),
        "bytes_per_request": round(cell.size_bytes / cell.count),
        "slowest_request_ids": _ids(cell.slowest),
        "previous": _comparison(report.previous.get((route, method)), report.previous_window),
        "last_week": _comparison(report.last_week.get((route, method)), report.last_week_window),
    }


def _ids(slowest: Iterable[tuple[int, str]]) -> list[str]:
    return [request_id for _, request_id in slowest if request_id][:KEPT_SLOWEST]


def _comparison(found: RouteSum | None, window: Window) -> dict[str, Any]:
    if found is None:
        return {"count": 0, "requests_per_minute": 0.0, "p95_ms": None, "error_rate": None}
    return {
        "count": found.cell.count,
        "requests_per_minute": round(found.cell.count / window.minutes, 3),
        "p95_ms": found.percentiles_ms(0.95)[0],
        "error_rate": _share(found.failed, found.cell.count),
    }


def _share(part: int, whole: int) -> float:
    return round(part / whole, 5) if whole else 0.0


def bound() -> float:
    """Return how far a percentile may be off, as a share of itself."""
    return ERROR_BOUND
