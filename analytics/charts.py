"""What the charts of the admin show. Higher apps add panels of their own to `panel_makers`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.urls import reverse
from django.utils.html import format_html

from analytics import shapes
from analytics.models import EventType
from analytics.selectors import Kinds, Scope, read_figures, top_users
from analytics.spans import Span, cover
from assets.models import Asset
from core.ids import decode_id
from core.registry import Registry, itself
from credits.pricing import format_credits
from renders.models import Render

VIEW_PERMISSION = "analytics.view_dailystat"
_COLORS = {
    "blue": "#4f46e5",
    "green": "#16a34a",
    "red": "#dc2626",
    "grey": "#9ca3af",
    "amber": "#d97706",
}
_PAGES = {
    "render": (Render.ID_PREFIX, "admin:renders_render_change"),
    "asset": (Asset.ID_PREFIX, "admin:assets_asset_change"),
}
_GIBIBYTE = 2**30
_MAX_CODES = 10
_MAX_TICKS = 8


@dataclass(frozen=True, slots=True)
class Range:
    """A choice of time. name: as in the address."""

    name: str
    title: str
    interval: str
    length: timedelta


RANGES = (
    Range("24h", "24 hours", "hour", timedelta(hours=24)),
    Range("7d", "7 days", "hour", timedelta(days=7)),
    Range("30d", "30 days", "day", timedelta(days=30)),
    Range("90d", "90 days", "day", timedelta(days=90)),
    Range("1y", "1 year", "day", timedelta(days=365)),
)


@dataclass(frozen=True, slots=True)
class Series:
    """One line. values: one a bucket, None where there is nothing to say."""

    title: str
    color: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Panel:
    """A chart, a table, or both. headline: the one number. suffix: of the values."""

    title: str
    headline: str = ""
    series: Sequence[Series] = ()
    labels: Sequence[str] = ()
    suffix: str = ""
    table: dict[str, Any] = field(default_factory=dict)

    @property
    def data(self) -> str:
        """Return what the theme's script draws."""
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
        """Return titles and colours."""
        return [(line.title, _COLORS[line.color]) for line in self.series]


PanelMaker = Callable[[Span], Sequence[Panel]]
# Panels of the page, for staff with a permission.
panel_makers = Registry[tuple[str, PanelMaker], tuple[str, PanelMaker]]("panel maker", key=itself)


def range_named(name: str) -> Range:
    """Return a choice of time, the shortest for a name that there is not."""
    return next((choice for choice in RANGES if choice.name == name), RANGES[0])


def span_of(choice: Range, now: datetime) -> Span:
    """Return the buckets of a choice, the one that is still growing included."""
    return cover(choice.interval, now - choice.length, now)


def panels_for(user: Any, span: Span) -> Iterator[Panel]:
    """Yield the panels that a member of staff may see."""
    for permission, maker in panel_makers:
        if user.has_perm(permission):
            yield from maker(span)


def product_panels(span: Span) -> list[Panel]:
    """Return the charts of renders, credits and storage, over all accounts."""
    figures = read_figures(span, Scope(), EventType.values, with_storage=True)
    labels = [_label(start, span) for start in figures.tallies]
    renders = [row for _, row in shapes.render_rows(figures)]
    usage = [row for _, row in shapes.usage_rows(figures)]
    whole = shapes.merge(figures.tallies.values())
    render_totals = shapes.render_row(whole)
    usage_totals = shapes.usage_row(whole, figures.stored_bytes + shapes.growth(whole))
    return [
        *_render_panels(labels, renders, render_totals),
        *_usage_panels(labels, usage, usage_totals),
        _error_panel(whole),
        _user_panel(span),
    ]


panel_makers.register((VIEW_PERMISSION, product_panels))


def _render_panels(labels: list[str], rows: list[shapes.Row], totals: shapes.Row) -> list[Panel]:
    def column(name: str) -> list[float | None]:
        return [row[name] for row in rows]

    return [
        Panel(
            "Renders",
            f"{totals['submitted']:,} submitted",
            [
                Series("submitted", "blue", column("submitted")),
                Series("succeeded", "green", column("succeeded")),
                Series("cancelled", "grey", column("cancelled")),
            ],
            labels,
        ),
        Panel(
            "Failures",
            f"{totals['failed']:,} failed{_percent_of(totals['success_rate'])}",
            [Series("failed", "red", column("failed"))],
            labels,
        ),
        Panel(
            "Render minutes",
            f"{totals['render_minutes']:,.1f} min of work, {totals['output_s'] / 60:,.1f} min of output",
            [
                Series("work", "blue", column("render_minutes")),
                Series("output", "green", [round(row["output_s"] / 60, 3) for row in rows]),
            ],
            labels,
            "min",
        ),
        Panel(
            "Speed",
            "no output" if totals["speed_factor"] is None else f"{totals['speed_factor']:,.2f} times real time",
            [Series("seconds of output for a second of work", "blue", column("speed_factor"))],
            labels,
            "x",
        ),
        Panel(
            "Wait in the queue",
            "nothing waited"
            if totals["queue_wait_p95_s"] is None
            else f"{totals['queue_wait_p50_s']:,.2f} s in the middle, 95 % within {totals['queue_wait_p95_s']:,.2f} s",
            [Series("p50", "blue", column("queue_wait_p50_s")), Series("p95", "amber", column("queue_wait_p95_s"))],
            labels,
            "s",
        ),
    ]


def _usage_panels(labels: list[str], rows: list[shapes.Row], totals: shapes.Row) -> list[Panel]:
    def column(name: str) -> list[float | None]:
        return [float(row[name]) for row in rows]

    return [
        Panel(
            "Credits",
            f"{totals['credits_charged']} charged, {totals['credits_granted']} granted",
            [
                Series("charged", "blue", column("credits_charged")),
                Series("given back", "amber", column("credits_refunded")),
                Series("granted", "green", column("credits_granted")),
            ],
            labels,
        ),
        Panel(
            "Storage",
            f"{totals['storage_bytes'] / _GIBIBYTE:,.2f} GiB",
            [Series("kept", "blue", [round(row["storage_bytes"] / _GIBIBYTE, 4) for row in rows])],
            labels,
            "GiB",
        ),
    ]


def _error_panel(whole: Kinds) -> Panel:
    rows = shapes.errors_by_code(whole)
    cells = [
        [row["code"], row["object"], f"{row['count']:,}", f"{row['share']:.1%}", _link_to(row)]
        for row in rows[:_MAX_CODES]
    ]
    return Panel("Errors", table={"headers": ["Code", "Of", "Failures", "Share", "Latest"], "rows": cells})


def _link_to(row: shapes.Row) -> str:
    """Return a link to the newest example, for staff to follow."""
    if row["latest_id"] is None:
        return "—"
    prefix, page = _PAGES[row["object"]]
    return format_html(
        '<a href="{}">{}</a>', reverse(page, args=[decode_id(prefix, row["latest_id"])]), row["latest_id"]
    )


def _user_panel(span: Span) -> Panel:
    rows = [
        [row.username, f"{row.renders:,}", f"{row.work_ms / 60_000:,.1f} min", format_credits(row.credits)]
        for row in top_users(span)
    ]
    headers = ["User", "Renders", "Work", "Credits charged"]
    return Panel("Busiest users, by credits, as counted so far", table={"headers": headers, "rows": rows})


def _label(start: datetime, span: Span) -> str:
    if span.interval == "hour":
        return f"{start:%m-%d %H:%M}"
    return f"{start:%Y-%m-%d}"


def _percent_of(success_rate: float | None) -> str:
    return "" if success_rate is None else f", {1 - success_rate:.1%} of what ended"
