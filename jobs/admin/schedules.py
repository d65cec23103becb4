"""Schedules: what comes back by the clock, and when."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from core.admin import ReadOnlyAdmin, audited, pretty_json
from jobs import services
from jobs.exceptions import UnknownJobType
from jobs.models import Schedule


@admin.register(Schedule)
class ScheduleAdmin(ReadOnlyAdmin):
    """Code owns the terms of a schedule; staff switch it on and off, or run it now."""

    list_display = ("name", "enabled", "cron", "type", "next_run_at", "last_run_at")
    list_filter = ("enabled",)
    search_fields = ("name", "type")
    ordering = ("name",)
    fields = ("name", "enabled", "cron", "type", "shown_payload", "next_run_at", "last_run_at", "created_at")
    actions = ("enable_schedules", "disable_schedules", "run_schedules")

    @admin.display(description="payload")
    def shown_payload(self, schedule: Schedule) -> SafeString | str:
        """Return the payload."""
        return pretty_json(schedule.payload)

    def has_switch_permission(self, request: HttpRequest) -> bool:
        """Return whether staff may switch schedules on and off."""
        return request.user.has_perm("jobs.change_schedule")

    def has_run_permission(self, request: HttpRequest) -> bool:
        """Return whether staff may run schedules at once."""
        return request.user.has_perm("jobs.run_schedule")

    @admin.action(description="Enable schedules", permissions=["switch"])
    def enable_schedules(self, request: HttpRequest, queryset: QuerySet[Schedule]) -> None:
        """Switch on; they wait for their next tick."""
        self._switch(request, queryset, enabled=True)

    @admin.action(description="Disable schedules", permissions=["switch"])
    def disable_schedules(self, request: HttpRequest, queryset: QuerySet[Schedule]) -> None:
        """Switch off."""
        self._switch(request, queryset, enabled=False)

    @admin.action(description="Run now", permissions=["run"])
    def run_schedules(self, request: HttpRequest, queryset: QuerySet[Schedule]) -> None:
        """Enqueue their jobs without waiting."""
        enqueued = 0
        for schedule in queryset:
            try:
                with audited(request, "schedule.run", schedule.name):
                    services.run_schedule_now(schedule_id=schedule.pk)
                enqueued += 1
            except UnknownJobType as error:
                self.message_user(request, f"{schedule.name}: {error}", messages.ERROR)
        self.message_user(request, f"{enqueued} enqueued.", messages.SUCCESS)

    def _switch(self, request: HttpRequest, queryset: QuerySet[Schedule], *, enabled: bool) -> None:
        chosen = list(queryset.values_list("pk", "name"))
        for schedule_id, name in chosen:
            with audited(request, f"schedule.{'enabled' if enabled else 'disabled'}", name):
                services.set_schedule_enabled(schedule_id=schedule_id, enabled=enabled)
        self.message_user(request, f"{len(chosen)} {'enabled' if enabled else 'disabled'}.", messages.SUCCESS)
