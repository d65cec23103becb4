"""Admin of analytics: read-only lists of events and stats, and the charts page."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from accounts.models import User
from analytics import charts
from analytics.codec import decode
from analytics.models import (
    ALL_PROJECTS,
    NO_PROJECT,
    AnalyticsEvent,
    DailyStat,
    EventMeasures,
    HourlyStat,
    MonthlyUsage,
    RetentionWatermark,
    StatRollup,
)
from core.admin import ReadOnlyAdmin, pretty_json
from core.ids import decode_id, encode_id
from credits.pricing import format_credits
from renders.models import Project


class MeasuresAdmin(ReadOnlyAdmin):
    """Base of the lists of events and stats."""

    list_filter: ClassVar = ("type",)
    list_select_related: ClassVar = ("user",)
    raw_id_fields: ClassVar = ("user",)
    search_fields: ClassVar = ("user__username", "=code")

    @admin.display(description="project")
    def project(self, row: EventMeasures) -> str:
        """Return the public id, also for a deleted project."""
        return "—" if row.project_id == NO_PROJECT else encode_id(Project.ID_PREFIX, row.project_id)

    @admin.display(description="output")
    def output(self, row: EventMeasures) -> str:
        """Return the length of the output in seconds."""
        return f"{row.duration_ms / 1000:.1f} s" if row.duration_ms else "—"

    @admin.display(description="work")
    def work(self, row: EventMeasures) -> str:
        """Return the seconds that workers spent."""
        return f"{row.work_ms / 1000:.1f} s" if row.work_ms else "—"

    @admin.display(description="waited")
    def waited(self, row: EventMeasures) -> str:
        """Return the seconds spent in the queue."""
        return f"{row.waited_ms / 1000:.1f} s" if row.waited_ms else "—"

    @admin.display(description="credits")
    def amount(self, row: EventMeasures) -> str:
        """Return the amount in credits, e.g. `0.20`."""
        return format_credits(row.credits) if row.credits else "—"


@admin.register(AnalyticsEvent)
class AnalyticsEventAdmin(MeasuresAdmin):
    """Read-only list of the event log."""

    list_display = ("created_at", "type", "code", "user", "project", "output", "work", "amount", "size_bytes")
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    fields = (
        *("public_id", "created_at", "type", "code", "user", "project", "resource_id"),
        *("output", "work", "waited", "amount", "size_bytes", "counted"),
    )


class StatAdmin(MeasuresAdmin):
    """Base of the lists of hourly and daily stats."""

    list_display = ("start", "type", "code", "user", "project", "count", "output", "work", "amount", "size_bytes")
    date_hierarchy = "start"
    ordering = ("-start",)
    fields = (
        *("start", "type", "code", "user", "project", "count", "output", "work", "waited", "amount", "size_bytes"),
        *("waits", "latest_at", "latest_id"),
    )

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Search by the full public id of a user or project, or else by the search fields."""
        for prefix, column in ((User.ID_PREFIX, "user_id"), (Project.ID_PREFIX, "project_id")):
            try:
                return queryset.filter(**{column: decode_id(prefix, search_term.strip())}), False
            except ValueError:
                continue
        results: tuple[Any, bool] = super().get_search_results(request, queryset, search_term)
        return results


@admin.register(HourlyStat)
class HourlyStatAdmin(StatAdmin):
    """Read-only list of the hourly stats."""


@admin.register(DailyStat)
class DailyStatAdmin(StatAdmin):
    """Read-only list of the daily stats."""


@admin.register(StatRollup)
class StatRollupAdmin(ReadOnlyAdmin):
    """Read-only list of the rollups that the API and the charts read."""

    list_display = ("start", "interval", "user", "project", "renders", "work_ms", "amount", "stored_bytes")
    list_filter: ClassVar = ("interval",)
    list_select_related: ClassVar = ("user",)
    raw_id_fields: ClassVar = ("user",)
    search_fields: ClassVar = ("user__username",)
    date_hierarchy = "start"
    ordering = ("-start",)
    fields = (
        *("start", "interval", "user", "project", "renders", "work_ms", "amount", "stored_bytes"),
        *("waits", "shown_aggregates", "created_at"),
    )

    @admin.display(description="project")
    def project(self, row: StatRollup) -> str:
        """Return the public id, or `all` for all projects."""
        if row.project_id == ALL_PROJECTS:
            return "all"
        return "—" if row.project_id == NO_PROJECT else encode_id(Project.ID_PREFIX, row.project_id)

    @admin.display(description="credits")
    def amount(self, row: StatRollup) -> str:
        """Return the amount in credits, e.g. `0.20`."""
        return format_credits(row.credits)

    @admin.display(description="aggregates")
    def shown_aggregates(self, row: StatRollup) -> str:
        """Return the stats by event type and code as indented JSON."""
        return pretty_json(decode(row.aggregates))


@admin.register(MonthlyUsage)
class MonthlyUsageAdmin(ReadOnlyAdmin):
    """Read-only list of monthly usage by account."""

    list_display = ("start", "user", "renders", "work_ms", "amount")
    list_select_related: ClassVar = ("user",)
    raw_id_fields: ClassVar = ("user",)
    search_fields: ClassVar = ("user__username",)
    date_hierarchy = "start"
    ordering = ("-start", "user")
    fields = ("start", "user", "renders", "work_ms", "amount", "created_at")

    @admin.display(description="credits")
    def amount(self, row: MonthlyUsage) -> str:
        """Return the amount in credits, e.g. `0.20`."""
        return format_credits(row.credits)


@admin.register(RetentionWatermark)
class RetentionWatermarkAdmin(ReadOnlyAdmin):
    """Read-only list of the retention watermarks."""

    list_display = ("name", "complete_since")
    search_fields = ("name",)
    ordering = ("name",)
    fields = ("name", "complete_since", "created_at")


def show_charts(request: HttpRequest) -> HttpResponse:
    """Show charts over all accounts for the time range in `?range=`."""
    if not request.user.has_perm(charts.VIEW_PERMISSION):
        raise PermissionDenied
    chosen = charts.range_named(request.GET.get("range", ""))
    time_range = charts.time_range_of(chosen, timezone.now())
    context = {
        **admin.site.each_context(request),
        "title": "Analytics",
        "ranges": charts.RANGES,
        "chosen": chosen,
        "time_range": time_range,
        "panels": list(charts.panels_for(request.user, time_range)),
    }
    return TemplateResponse(request, "admin/analytics/charts.html", context)
