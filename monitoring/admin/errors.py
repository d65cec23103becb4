"""Unhandled failures: what, where, how often; staff say when one is dealt with."""

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
    """Open errors first of all."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the two states."""
        return [("open", "Open"), ("resolved", "Resolved")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows in the state chosen."""
        if self.value() is None:
            return queryset
        return queryset.filter(resolved_at__isnull=self.value() == "open")


@admin.register(ErrorLog)
class ErrorLogAdmin(ReadOnlyAdmin):
    """One row for each kind of failure at one place."""

    list_display = ("shown_type", "place", "shown_message", "count", "route", "open", "first_seen_at", "last_seen_at")
    list_filter = (ResolvedFilter, "type", "last_seen_at")
    search_fields = ("=request_id", "=type", "=place")
    list_select_related = ("resolved_by",)
    date_hierarchy = "last_seen_at"
    ordering = ("-last_seen_at", "-id")
    actions = ("resolve_errors",)
    fields = (
        *("type", "place", "message", "count", "route", "request_id", "first_seen_at", "last_seen_at"),
        *("resolved_at", "resolved_by", "shown_traceback"),
    )

    @admin.display(description="type", ordering="type")
    def shown_type(self, row: ErrorLog) -> str:
        """Return the exception's name."""
        return row.type.rpartition(".")[2]

    @admin.display(description="message")
    def shown_message(self, row: ErrorLog) -> str:
        """Return the beginning of the latest message."""
        return short_text(row.message)

    @display(boolean=True)  # type: ignore[untyped-decorator]
    def open(self, row: ErrorLog) -> bool:
        """Return whether nobody has dealt with it yet."""
        return not row.is_resolved

    @admin.display(description="latest traceback")
    def shown_traceback(self, row: ErrorLog) -> SafeString | str:
        """Return the latest traceback."""
        return text_box(row.traceback)

    def has_resolve_permission(self, request: HttpRequest) -> bool:
        """Return whether staff may resolve errors."""
        return request.user.has_perm("monitoring.resolve_errorlog")

    @admin.action(description="Resolve", permissions=["resolve"])
    def resolve_errors(self, request: HttpRequest, queryset: QuerySet[ErrorLog]) -> None:
        """Say that they are dealt with; a failure that comes back opens a new row."""
        ids = list(queryset.values_list("pk", flat=True))
        resolved = sum(services.resolve_error(error_id=error_id, user=request.user) for error_id in ids)
        self.message_user(request, f"{resolved} resolved.", messages.SUCCESS)
