"""The performance page: all routes, compared with the window before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from monitoring.models import ErrorLog
from monitoring.performance.chart_series import ChartStep, series_in
from monitoring.performance.monitor import monitor
from monitoring.performance.report import RouteReport, all_routes, build_report

WINDOWS = {"1h": (3600, "1 hour"), "24h": (86400, "24 hours"), "7d": (604_800, "7 days"), "30d": (2_592_000, "30 days")}
_COLUMNS = ("Route", "Requests", "Per minute", "p50", "p95", "p99", "Slowest", "Errors", "Cache", "SQL", "Chart")
MAX_ROWS = 100
_WIDTH, _HEIGHT = 120, 28
_NBSP = "\N{NO-BREAK SPACE}"


def performance_page(request: HttpRequest) -> HttpResponse:
    """Render the page for the window in the query; unknown windows fall back to one hour."""
    if not request.user.has_perm("monitoring.view_routemetric"):
        raise PermissionDenied
    chosen = request.GET.get("window", "1h")
    chosen = chosen if chosen in WINDOWS else "1h"
    now = timezone.now()
    report = build_report(window_s=WINDOWS[chosen][0], now=now)
    rows = all_routes(report)
    context = {
        **admin.site.each_context(request),
        "title": "Performance",
        "windows": [{"key": key, "name": name, "is_chosen": key == chosen} for key, (_, name) in WINDOWS.items()],
        "cards": _cards(report, rows),
        "routes": _table(report, rows[:MAX_ROWS]),
        "left_out": max(0, len(rows) - MAX_ROWS),
        "start": report.window.start,
        "end": report.window.end,
    }
    return render(request, "monitoring/performance.html", context)


def _cards(report: RouteReport, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    count = sum(row["count"] for row in rows)
    failed = sum(totals.failed for totals in report.totals.values())
    slow = sum(row["slow_count"] for row in rows)
    open_errors = ErrorLog.objects.filter(resolved_at__isnull=True).count()
    before = sum(row.total.count for row in report.previous.values())
    return [
        {"title": "Requests", "value": f"{count:,}", "note": f"{before:,} in the window before"},
        {
            "title": "5xx responses",
            "value": f"{failed / count:.2%}" if count else "—",
            "is_alarming": failed * 10 > count,
        },
        {
            "title": "Slow requests",
            "value": f"{slow:,}",
            "link": reverse("admin:monitoring_slowrequest_changelist"),
            "is_alarming": slow > 0,
        },
        {
            "title": "Open errors",
            "value": f"{open_errors:,}",
            "link": f"{reverse('admin:monitoring_errorlog_changelist')}?state=open",
            "is_alarming": open_errors > 0,
        },
    ]


def _table(report: RouteReport, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    series = series_in(report.window, monitor.snapshot())
    return {
        "headers": list(_COLUMNS),
        "rows": [_cells(row, series.get((row["route"], row["method"]), [])) for row in rows],
    }


def _cells(row: dict[str, Any], steps: Sequence[ChartStep]) -> list[Any]:
    return [
        format_html('<span class="opacity-60">{}</span> {}', row["method"], row["route"]),
        f"{row['count']:,}",
        f"{row['requests_per_minute']:,.1f}",
        _ms(row["p50_ms"]),
        _compared(row["p95_ms"], row["previous"]["p95_ms"]),
        _ms(row["p99_ms"]),
        _ms(row["max_ms"]),
        _rates(row),
        f"{row['cache_hit_rate']:.0%}" if row["cache_lookups"] else "—",
        f"{row['sql_ms_share']:.0%}",
        _sparkline(steps),
    ]


def _ms(value: float) -> str:
    return f"{value:,.1f}{_NBSP}ms" if value < 1000 else f"{value / 1000:,.2f}{_NBSP}s"


def _compared(value: float, before: float | None) -> SafeString | str:
    """Return a time, with its relative change if that is large."""
    if not before or 0.8 <= value / before <= 1.25:
        return _ms(value)
    tone = "text-red-600 dark:text-red-500" if value > before else "text-green-700 dark:text-green-400"
    return format_html('{} <span class="{} text-xs">{}</span>', _ms(value), tone, f"{value / before - 1:+.0%}")


def _rates(row: dict[str, Any]) -> SafeString | str:
    if not row["error_rate"] and not row["client_error_rate"]:
        return "—"
    tone = "text-red-600 dark:text-red-500 font-semibold" if row["error_rate"] > 0.1 else ""
    client_errors = f"{row['client_error_rate']:.1%}{_NBSP}4xx" if row["client_error_rate"] else ""
    return format_html('<span class="{}">{}</span> {}', tone, f"{row['error_rate']:.1%}{_NBSP}5xx", client_errors)


def _sparkline(steps: Sequence[ChartStep]) -> SafeString | str:
    """Return an SVG chart: bars of the requests, red where some failed, and a line of the 95th percentile."""
    if not steps:
        return "—"
    max_count = max(step.count for step in steps) or 1
    max_p95_ms = max(step.p95_ms for step in steps) or 1
    width = _WIDTH / len(steps)
    bars: dict[str, list[str]] = {"served": [], "failed": []}
    points = []
    for number, step in enumerate(steps):
        if step.count:
            height = max(1.0, step.count / max_count * _HEIGHT)
            path = f"M{number * width:.1f} {_HEIGHT}v-{height:.1f}h{width * 0.8:.1f}v{height:.1f}z"
            bars["failed" if step.failed else "served"].append(path)
            points.append(f"{(number + 0.4) * width:.1f},{_HEIGHT - step.p95_ms / max_p95_ms * (_HEIGHT - 2):.1f}")
    return format_html(
        '<svg width="{w}" height="{h}" viewBox="0 0 {w} {h}" role="img" aria-label="at most {max_count} requests per '
        'step, p95 at most {max_p95} ms"><path d="{served}" fill="currentColor" opacity=".25"/>'
        '<path d="{failed}" fill="#dc2626" opacity=".6"/>'
        '<polyline points="{points}" fill="none" stroke="#6366f1" stroke-width="1.5"/></svg>',
        w=_WIDTH,
        h=_HEIGHT,
        max_count=max_count,
        max_p95=f"{max_p95_ms:.1f}",
        served="".join(bars["served"]),
        failed="".join(bars["failed"]),
        points=" ".join(points),
    )
