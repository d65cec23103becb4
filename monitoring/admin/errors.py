"""Admin of the error log, where staff resolve unhandled failures."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.decorators import display

from core.admin import ReadOnlyAdmin, short_text, text_box
from monitoring import services
from monitoring.models import ErrorLog


class ResolvedFilter(admin.SimpleListFilter):
    """Filter by open and resolved errors."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the choices of the filter."""
        return [("open", "Open"), ("resolved", "Resolved")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows in the selected state."""
        if self.value() is None:
            return queryset
        return queryset.filter(resolved_at__isnull=self.value() == "open")


@admin.register(ErrorLog)
class ErrorLogAdmin(ReadOnlyAdmin):
    """Unhandled failures, one row per type and place."""

    list_display = ("show_type", "place", "show_message", "count", "route", "open", "first_seen_at", "last_seen_at")
    list_filter = (ResolvedFilter, "type", "last_seen_at")
    search_fields = ("=request_id", "=type", "=place")
    list_select_related = ("resolved_by",)
    date_hierarchy = "last_seen_at"
    ordering = ("-last_seen_at", "-id")
    actions = ("resolve_errors",)
    fields = (
        *("type", "place", "message", "count", "route", "request_id", "first_seen_at", "last_seen_at"),
        *("resolved_at", "resolved_by", "show_traceback"),
    )

    @admin.display(description="type", ordering="type")
    def show_type(self, row: ErrorLog) -> str:
        """Return the name of the exception without its module."""
        return row.type.rpartition(".")[2]

    @admin.display(description="message")
    def show_message(self, row: ErrorLog) -> str:
        """Return the beginning of the latest message."""
        return short_text(row.message)

    @display(boolean=True)  # type: ignore[untyped-decorator]
    def open(self, row: ErrorLog) -> bool:
        """Return whether the error is unresolved."""
        return not row.is_resolved

    @admin.display(description="latest traceback")
    def show_traceback(self, row: ErrorLog) -> SafeString | str:
        """Show the latest traceback in a scrolling box."""
        return text_box(row.traceback)

    def has_resolve_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may resolve errors."""
        return request.user.has_perm("monitoring.resolve_errorlog")

    @admin.action(description="Resolve", permissions=["resolve"])
    def resolve_errors(self, request: HttpRequest, queryset: QuerySet[ErrorLog]) -> None:
        """Mark errors as resolved; a failure that recurs opens a new row."""
        ids = list(queryset.values_list("pk", flat=True))
        resolved = sum(services.resolve_error(error_id=error_id, user=request.user) for error_id in ids)
        self.message_user(request, f"{resolved} resolved.", messages.SUCCESS)
