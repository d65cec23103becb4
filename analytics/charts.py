"""Charts of the admin: time ranges, panels and their data. Higher apps register panels in `panel_makers`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.urls import reverse
from django.utils.html import format_html

from analytics import report_rows
from analytics.models import AnalyticsEventType
from analytics.selectors import Aggregates, StatScope, read_stats, top_users
from analytics.time_ranges import TimeRange, covering_range
from assets.models import Asset
from core.ids import decode_id
from core.registry import Registry, identity
from credits.pricing import format_credits
from renders.models import Render

VIEW_PERMISSION = "analytics.view_dailystat"
_COLORS = {"blue": "#4f46e5", "green": "#16a34a", "red": "#dc2626", "grey": "#9ca3af", "amber": "#d97706"}
_CHANGE_VIEWS = {
    "render": (Render.ID_PREFIX, "admin:renders_render_change"),
    "asset": (Asset.ID_PREFIX, "admin:assets_asset_change"),
}
_GIBIBYTE = 2**30
_MAX_CODES = 10
_MAX_TICKS = 8


@dataclass(frozen=True, slots=True)
class ChartRange:
    """A selectable time range. name: the value of `?range=`."""

    name: str
    title: str
    interval: str
    length: timedelta


RANGES = (
    ChartRange("24h", "24 hours", "hour", timedelta(hours=24)),
    ChartRange("7d", "7 days", "hour", timedelta(days=7)),
    ChartRange("30d", "30 days", "day", timedelta(days=30)),
    ChartRange("90d", "90 days", "day", timedelta(days=90)),
    ChartRange("1y", "1 year", "day", timedelta(days=365)),
)


@dataclass(frozen=True, slots=True)
class ChartSeries:
    """One line of a chart. values: one per bucket, None for no data."""

    title: str
    color: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Panel:
    """A chart, a table, or both. headline: a summary of the range. suffix: unit of the values."""

    title: str
    headline: str = ""
    series: Sequence[ChartSeries] = ()
    labels: Sequence[str] = ()
    suffix: str = ""
    table: dict[str, Any] = field(default_factory=dict)

    @property
    def data(self) -> str:
        """Return the labels and datasets as JSON for the chart script of the theme."""
        datasets = [
            {
                "label": line.title,
                "data": list(line.values),
                "borderColor": _COLORS[line.color],
                "backgroundColor": _COLORS[line.color],
                "displayYAxis": True,
                "suffixYAxis": self.suffix,
                "maxTicksXLimit": _MAX_TICKS,
            }
            for line in self.series
        ]
        return orjson.dumps({"labels": list(self.labels), "datasets": datasets}).decode()

    @property
    def legend(self) -> list[tuple[str, str]]:
        """Return the title and the colour of each line."""
        return [(line.title, _COLORS[line.color]) for line in self.series]


PanelMaker = Callable[[TimeRange], Sequence[Panel]]
# Pairs of a permission and a maker; the panels are shown to staff with that permission.
panel_makers = Registry[tuple[str, PanelMaker], tuple[str, PanelMaker]]("panel maker", key=identity)


def range_named(name: str) -> ChartRange:
    """Return the range with this name, or the shortest for an unknown name."""
    return next((one for one in RANGES if one.name == name), RANGES[0])


def time_range_of(chosen: ChartRange, now: datetime) -> TimeRange:
    """Return the whole buckets that cover a range up to now, including the current bucket."""
    return covering_range(chosen.interval, now - chosen.length, now)


def panels_for(user: Any, time_range: TimeRange) -> Iterator[Panel]:
    """Yield the panels that the user has permission to see."""
    for permission, maker in panel_makers:
        if user.has_perm(permission):
            yield from maker(time_range)


def product_panels(time_range: TimeRange) -> list[Panel]:
    """Return the panels of renders, credits, storage, errors and top users over all accounts."""
    stats = read_stats(time_range, StatScope(), AnalyticsEventType.values, with_storage=True)
    labels = [_label(start, time_range) for start in stats.buckets]
    renders = [row for _, row in report_rows.render_rows(stats)]
    usage = [row for _, row in report_rows.usage_rows(stats)]
    whole = report_rows.merge(stats.buckets.values())
    render_totals = report_rows.render_row(whole)
    usage_totals = report_rows.usage_row(whole, stats.stored_bytes + report_rows.growth(whole))
    return [
        *_render_panels(labels, renders, render_totals),
        *_usage_panels(labels, usage, usage_totals),
        _error_panel(whole),
        _user_panel(time_range),
    ]


panel_makers.register((VIEW_PERMISSION, product_panels))


def _render_panels(labels: list[str], rows: list[report_rows.Row], totals: report_rows.Row) -> list[Panel]:
    def column(name: str) -> list[float | None]:
        return [row[name] for row in rows]

    return [
        Panel(
            "Renders",
            f"{totals['submitted']:,} submitted",
            [
                ChartSeries("submitted", "blue", column("submitted")),
                ChartSeries("succeeded", "green", column("succeeded")),
                ChartSeries("cancelled", "grey", column("cancelled")),
            ],
            labels,
        ),
        Panel(
            "Failures",
            f"{totals['failed']:,} failed{_failure_rate(totals['success_rate'])}",
            [ChartSeries("failed", "red", column("failed"))],
            labels,
        ),
        Panel(
            "Render minutes",
            f"{totals['render_minutes']:,.1f} min of work, {totals['output_s'] / 60:,.1f} min of output",
            [
                ChartSeries("work", "blue", column("render_minutes")),
                ChartSeries("output", "green", [round(row["output_s"] / 60, 3) for row in rows]),
            ],
            labels,
            "min",
        ),
        Panel(
            "Speed",
            "no output" if totals["speed_factor"] is None else f"{totals['speed_factor']:,.2f} times real time",
            [ChartSeries("seconds of output per second of work", "blue", column("speed_factor"))],
            labels,
            "x",
        ),
        Panel(
            "Queue wait",
            "no renders started"
            if totals["queue_wait_p95_s"] is None
            else f"median {totals['queue_wait_p50_s']:,.2f} s, 95 % within {totals['queue_wait_p95_s']:,.2f} s",
            [
                ChartSeries("p50", "blue", column("queue_wait_p50_s")),
                ChartSeries("p95", "amber", column("queue_wait_p95_s")),
            ],
            labels,
            "s",
        ),
    ]


def _usage_panels(labels: list[str], rows: list[report_rows.Row], totals: report_rows.Row) -> list[Panel]:
    def column(name: str) -> list[float | None]:
        return [float(row[name]) for row in rows]

    return [
        Panel(
            "Credits",
            f"{totals['credits_charged']} charged, {totals['credits_granted']} granted",
            [
                ChartSeries("charged", "blue", column("credits_charged")),
                ChartSeries("refunded", "amber", column("credits_refunded")),
                ChartSeries("granted", "green", column("credits_granted")),
            ],
            labels,
        ),
        Panel(
            "Storage",
            f"{totals['storage_bytes'] / _GIBIBYTE:,.2f} GiB",
            [ChartSeries("stored", "blue", [round(row["storage_bytes"] / _GIBIBYTE, 4) for row in rows])],
            labels,
            "GiB",
        ),
    ]


def _error_panel(whole: Aggregates) -> Panel:
    rows = report_rows.errors_by_code(whole)
    cells = [
        [row["code"], row["object"], f"{row['count']:,}", f"{row['share']:.1%}", _link_to(row)]
        for row in rows[:_MAX_CODES]
    ]
    return Panel("Errors", table={"headers": ["Code", "Object", "Failures", "Share", "Latest"], "rows": cells})


def _link_to(row: report_rows.Row) -> str:
    if row["latest_id"] is None:
        return "—"
    prefix, view = _CHANGE_VIEWS[row["object"]]
    return format_html(
        '<a href="{}">{}</a>', reverse(view, args=[decode_id(prefix, row["latest_id"])]), row["latest_id"]
    )


def _user_panel(time_range: TimeRange) -> Panel:
    rows = [
        [row.username, f"{row.renders:,}", f"{row.work_ms / 60_000:,.1f} min", format_credits(row.credits)]
        for row in top_users(time_range)
    ]
    headers = ["User", "Renders", "Work", "Credits charged"]
    return Panel("Top users by credits, as aggregated so far", table={"headers": headers, "rows": rows})


def _label(start: datetime, time_range: TimeRange) -> str:
    if time_range.interval == "hour":
        return f"{start:%m-%d %H:%M}"
    return f"{start:%Y-%m-%d}"


def _failure_rate(success_rate: float | None) -> str:
    return "" if success_rate is None else f", {1 - success_rate:.1%} of finished renders"
