"""Measurements: rows that processes write and staff read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import path
from django.utils.safestring import SafeString
from unfold.decorators import display

from core.admin import ReadOnlyAdmin, pretty_json, short_text, text_box
from monitoring.admin.performance_page import performance_page
from monitoring.models import CacheMetric, QueueMetric, RouteMetric, ServerProcess, SlowRequest, StatementMetric
from monitoring.performance.sketch import decode, quantiles


@admin.register(RouteMetric)
class RouteMetricAdmin(ReadOnlyAdmin):
    """Requests of one route in one span of time."""

    list_display = ("route", "method", "shown_class", "started_at", "resolution_s", "count", "shown_p95", "shown_max")
    list_filter = ("method", "status_class", "resolution_s")
    search_fields = ("=route",)
    date_hierarchy = "started_at"
    ordering = ("-started_at",)
    fields = (
        *("route", "method", "shown_class", "started_at", "resolution_s", "process", "count", "shown_p95", "shown_max"),
        *("total_us", "sql_us", "cache_us", "queries", "size_bytes", "cache_hits", "cache_lookups", "slow_count"),
        "shown_slowest",
    )

    def get_urls(self) -> list[Any]:
        """Add the page that puts the rows together."""
        page = path("performance/", self.admin_site.admin_view(performance_page), name="monitoring_performance")
        return [page, *super().get_urls()]

    @admin.display(description="status", ordering="status_class")
    def shown_class(self, row: RouteMetric) -> str:
        """Return the class of the answers."""
        return f"{row.status_class}xx"

    @admin.display(description="p95, ms")
    def shown_p95(self, row: RouteMetric) -> str:
        """Return the 95th percentile."""
        (found,) = quantiles(decode(row.sketch), [0.95])
        return "—" if found is None else f"{min(found, row.max_us) / 1000:.2f}"

    @admin.display(description="max, ms", ordering="max_us")
    def shown_max(self, row: RouteMetric) -> str:
        """Return the slowest request's time."""
        return f"{row.max_us / 1000:.2f}"

    @admin.display(description="slowest requests")
    def shown_slowest(self, row: RouteMetric) -> SafeString | str:
        """Return the slowest requests."""
        return pretty_json([{"ms": took_us / 1000, "request_id": request_id} for took_us, request_id in row.slowest])


@admin.register(ServerProcess)
class ServerProcessAdmin(ReadOnlyAdmin):
    """One row for each process that serves, or lately served, requests."""

    list_display = (
        "__str__",
        "alive",
        "requests",
        "shown_memory",
        "cpu_ratio",
        "threads",
        "started_at",
        "last_seen_at",
    )
    list_filter = ("hostname",)
    search_fields = ("hostname", "=token")
    date_hierarchy = "started_at"
    ordering = ("-last_seen_at",)
    fields = (
        *("hostname", "pid", "token", "alive", "requests", "lost", "shown_memory", "cpu_s", "cpu_ratio", "threads"),
        *("started_at", "last_seen_at", "stopped_at"),
    )

    @display(boolean=True)  # type: ignore[untyped-decorator]
    def alive(self, row: ServerProcess) -> bool:
        """Return whether it was heard of lately."""
        return row.is_alive

    @admin.display(description="memory", ordering="memory_bytes")
    def shown_memory(self, row: ServerProcess) -> str:
        """Return its anonymous memory."""
        return f"{row.memory_bytes / 2**20:.0f} MB"


@admin.register(SlowRequest)
class SlowRequestAdmin(ReadOnlyAdmin):
    """Requests over the limit."""

    list_display = ("at", "method", "route", "status", "shown_duration", "shown_sql", "queries", "request_id")
    list_filter = ("method", "status", "at")
    search_fields = ("=request_id", "=route")
    date_hierarchy = "at"
    ordering = ("-at",)
    fields = ("at", "method", "route", "status", "duration_ms", "sql_ms", "cache_ms", "queries", "request_id")

    @admin.display(description="took, ms", ordering="duration_ms")
    def shown_duration(self, row: SlowRequest) -> str:
        """Return how long it took."""
        return f"{row.duration_ms:,.0f}"

    @admin.display(description="SQL, ms", ordering="sql_ms")
    def shown_sql(self, row: SlowRequest) -> str:
        """Return how long it spent in the database."""
        return f"{row.sql_ms:,.0f}"


@admin.register(StatementMetric)
class StatementMetricAdmin(ReadOnlyAdmin):
    """Runs of one normalized statement in one hour."""

    list_display = ("shown_statement", "started_at", "count", "shown_mean", "shown_max", "route")
    list_filter = ("started_at",)
    search_fields = ("normalized_sql", "=route")
    date_hierarchy = "started_at"
    ordering = ("-started_at", "-total_us")
    fields = ("whole_statement", "started_at", "process", "count", "shown_mean", "shown_max", "route")

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the rows without what no screen shows."""
        return super().get_queryset(request).defer("example", "sketch")

    @admin.display(description="statement")
    def shown_statement(self, row: StatementMetric) -> str:
        """Return the beginning of the normalized statement."""
        return short_text(row.normalized_sql)

    @admin.display(description="statement")
    def whole_statement(self, row: StatementMetric) -> SafeString | str:
        """Return the normalized statement."""
        return text_box(row.normalized_sql)

    @admin.display(description="mean, ms")
    def shown_mean(self, row: StatementMetric) -> str:
        """Return the mean time of a run."""
        return f"{row.total_us / max(row.count, 1) / 1000:.2f}"

    @admin.display(description="max, ms", ordering="max_us")
    def shown_max(self, row: StatementMetric) -> str:
        """Return the time of the slowest run."""
        return f"{row.max_us / 1000:.2f}"


@admin.register(QueueMetric)
class QueueMetricAdmin(ReadOnlyAdmin):
    """One queue at one moment."""

    list_display = ("queue", "at", "ready", "oldest_ready_s", "running", "scheduled", "blocked", "busy_slots", "slots")
    list_filter = ("queue", "at")
    search_fields = ("=queue",)
    date_hierarchy = "at"
    ordering = ("-at",)


@admin.register(CacheMetric)
class CacheMetricAdmin(ReadOnlyAdmin):
    """The response cache at one moment."""

    list_display = ("at", "lookups", "hits", "shown_rate", "size_bytes")
    list_filter = ("at",)
    date_hierarchy = "at"
    ordering = ("-at",)

    @admin.display(description="hit rate")
    def shown_rate(self, row: CacheMetric) -> str:
        """Return the share of hits."""
        return f"{row.hits / row.lookups:.0%}" if row.lookups else "—"
