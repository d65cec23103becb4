"""Admin of schedules: enable, disable, run now."""

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
    """Schedules are defined in code; staff enable, disable or run them."""

    list_display = ("name", "enabled", "cron", "type", "next_run_at", "last_run_at")
    list_filter = ("enabled",)
    search_fields = ("name", "type")
    ordering = ("name",)
    fields = ("name", "enabled", "cron", "type", "shown_payload", "next_run_at", "last_run_at", "created_at")
    actions = ("enable_schedules", "disable_schedules", "run_schedules")

    @admin.display(description="payload")
    def shown_payload(self, schedule: Schedule) -> SafeString | str:
        """Return the payload as indented JSON."""
        return pretty_json(schedule.payload)

    def has_switch_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may enable and disable schedules."""
        return request.user.has_perm("jobs.change_schedule")

    def has_run_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may run schedules immediately."""
        return request.user.has_perm("jobs.run_schedule")

    @admin.action(description="Enable schedules", permissions=["switch"])
    def enable_schedules(self, request: HttpRequest, queryset: QuerySet[Schedule]) -> None:
        """Enable the selected schedules; each waits for its next run."""
        self._switch(request, queryset, enabled=True)

    @admin.action(description="Disable schedules", permissions=["switch"])
    def disable_schedules(self, request: HttpRequest, queryset: QuerySet[Schedule]) -> None:
        """Disable the selected schedules."""
        self._switch(request, queryset, enabled=False)

    @admin.action(description="Run now", permissions=["run"])
    def run_schedules(self, request: HttpRequest, queryset: QuerySet[Schedule]) -> None:
        """Enqueue the jobs of the selected schedules immediately."""
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
        selected, state = list(queryset.values_list("pk", "name")), "enabled" if enabled else "disabled"
        for schedule_id, name in selected:
            with audited(request, f"schedule.{state}", name):
                services.set_schedule_enabled(schedule_id=schedule_id, enabled=enabled)
        self.message_user(request, f"{len(selected)} {state}.", messages.SUCCESS)
