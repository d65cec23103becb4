"""Admin of measurements: requests, processes, SQL statements, queues and the cache."""

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
    """Requests by route and time span."""

    list_display = ("route", "method", "show_class", "started_at", "resolution_s", "count", "show_p95", "show_max")
    list_filter = ("method", "status_class", "resolution_s")
    search_fields = ("=route",)
    date_hierarchy = "started_at"
    ordering = ("-started_at",)
    fields = (
        *("route", "method", "show_class", "started_at", "resolution_s", "process", "count", "show_p95", "show_max"),
        *("total_us", "sql_us", "cache_us", "queries", "size_bytes", "cache_hits", "cache_lookups", "slow_count"),
        "show_slowest",
    )

    def get_urls(self) -> list[Any]:
        """Add the performance page, which aggregates the rows."""
        page = path("performance/", self.admin_site.admin_view(performance_page), name="monitoring_performance")
        return [page, *super().get_urls()]

    @admin.display(description="status", ordering="status_class")
    def show_class(self, row: RouteMetric) -> str:
        """Return the status class, such as 2xx."""
        return f"{row.status_class}xx"

    @admin.display(description="p95, ms")
    def show_p95(self, row: RouteMetric) -> str:
        """Return the 95th percentile, never above the maximum."""
        (p95_us,) = quantiles(decode(row.sketch), [0.95])
        return "—" if p95_us is None else f"{min(p95_us, row.max_us) / 1000:.2f}"

    @admin.display(description="max, ms", ordering="max_us")
    def show_max(self, row: RouteMetric) -> str:
        """Return the time of the slowest request."""
        return f"{row.max_us / 1000:.2f}"

    @admin.display(description="slowest requests")
    def show_slowest(self, row: RouteMetric) -> SafeString | str:
        """Return times and ids of the slowest requests as JSON."""
        return pretty_json([{"ms": took_us / 1000, "request_id": request_id} for took_us, request_id in row.slowest])


@admin.register(ServerProcess)
class ServerProcessAdmin(ReadOnlyAdmin):
    """Server processes, running or recently stopped."""

    list_display = ("__str__", "alive", "requests", "show_memory", "cpu_ratio", "threads", "started_at", "last_seen_at")
    list_filter = ("hostname",)
    search_fields = ("hostname", "=token")
    date_hierarchy = "started_at"
    ordering = ("-last_seen_at",)
    fields = (
        *("hostname", "pid", "token", "alive", "requests", "lost", "show_memory", "cpu_s", "cpu_ratio", "threads"),
        *("started_at", "last_seen_at", "stopped_at"),
    )

    @display(boolean=True)  # type: ignore[untyped-decorator]
    def alive(self, row: ServerProcess) -> bool:
        """Return whether the process sent a recent heartbeat."""
        return row.is_alive

    @admin.display(description="memory", ordering="memory_bytes")
    def show_memory(self, row: ServerProcess) -> str:
        """Return the anonymous memory in MB."""
        return f"{row.memory_bytes / 2**20:.0f} MB"


@admin.register(SlowRequest)
class SlowRequestAdmin(ReadOnlyAdmin):
    """Requests above the slow-request threshold."""

    list_display = ("at", "method", "route", "status", "show_duration", "show_sql", "queries", "request_id")
    list_filter = ("method", "status", "at")
    search_fields = ("=request_id", "=route")
    date_hierarchy = "at"
    ordering = ("-at",)
    fields = ("at", "method", "route", "status", "duration_ms", "sql_ms", "cache_ms", "queries", "request_id")

    @admin.display(description="took, ms", ordering="duration_ms")
    def show_duration(self, row: SlowRequest) -> str:
        """Return the total time."""
        return f"{row.duration_ms:,.0f}"

    @admin.display(description="SQL, ms", ordering="sql_ms")
    def show_sql(self, row: SlowRequest) -> str:
        """Return the time spent in the database."""
        return f"{row.sql_ms:,.0f}"


@admin.register(StatementMetric)
class StatementMetricAdmin(ReadOnlyAdmin):
    """SQL statements by normalized text and hour."""

    list_display = ("show_statement", "started_at", "count", "show_mean", "show_max", "route")
    list_filter = ("started_at",)
    search_fields = ("normalized_sql", "=route")
    date_hierarchy = "started_at"
    ordering = ("-started_at", "-total_us")
    fields = ("show_whole_statement", "started_at", "process", "count", "show_mean", "show_max", "route")

    def get_queryset(self, request: HttpRequest) -> Any:
        """Defer columns that no page shows."""
        return super().get_queryset(request).defer("example", "sketch")

    @admin.display(description="statement")
    def show_statement(self, row: StatementMetric) -> str:
        """Return the first characters of the normalized statement."""
        return short_text(row.normalized_sql)

    @admin.display(description="statement")
    def show_whole_statement(self, row: StatementMetric) -> SafeString | str:
        """Return the normalized statement in a scrolling box."""
        return text_box(row.normalized_sql)

    @admin.display(description="mean, ms")
    def show_mean(self, row: StatementMetric) -> str:
        """Return the mean time per run."""
        return f"{row.total_us / max(row.count, 1) / 1000:.2f}"

    @admin.display(description="max, ms", ordering="max_us")
    def show_max(self, row: StatementMetric) -> str:
        """Return the time of the slowest run."""
        return f"{row.max_us / 1000:.2f}"


@admin.register(QueueMetric)
class QueueMetricAdmin(ReadOnlyAdmin):
    """Queue samples, one per minute and queue."""

    list_display = ("queue", "at", "ready", "oldest_ready_s", "running", "scheduled", "blocked", "busy_slots", "slots")
    list_filter = ("queue", "at")
    search_fields = ("=queue",)
    date_hierarchy = "at"
    ordering = ("-at",)


@admin.register(CacheMetric)
class CacheMetricAdmin(ReadOnlyAdmin):
    """Response cache samples, one per minute."""

    list_display = ("at", "lookups", "hits", "show_rate", "size_bytes")
    list_filter = ("at",)
    date_hierarchy = "at"
    ordering = ("-at",)

    @admin.display(description="hit rate")
    def show_rate(self, row: CacheMetric) -> str:
        """Return the share of lookups that hit."""
        return f"{row.hits / row.lookups:.0%}" if row.lookups else "—"
