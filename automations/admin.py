"""Admin of automations and their runs."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from accounts.models import User
from accounts.services import record_audit
from automations import services
from automations.models import Automation, AutomationRun, AutomationRunStatus
from automations.services import AutomationTrigger
from core.admin import ReadOnlyAdmin, pretty_json, short_text
from core.exceptions import DomainError
from core.ids import encode_id, uuid7

_STATUS_COLORS = {
    AutomationRunStatus.QUEUED: "info",
    AutomationRunStatus.SUCCEEDED: "success",
    AutomationRunStatus.FAILED: "danger",
    AutomationRunStatus.SKIPPED: "warning",
}


@admin.register(Automation)
class AutomationAdmin(ReadOnlyAdmin):
    """Automations of all accounts, which staff can run, pause and resume, but not edit."""

    list_display = (
        "show_name",
        "owner",
        "is_active",
        "trigger_type",
        "action_type",
        "next_run_at",
        "last_triggered_at",
        "failures",
        "created_at",
    )
    list_display_links = ("show_name",)
    list_filter = ("is_active", "trigger_type", "action_type")
    search_fields = ("=owner__username", "name")
    list_select_related = ("owner",)
    raw_id_fields = ("owner", "project")
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    actions = ("run_now", "pause", "resume")
    fields = (
        "public_id",
        "owner",
        "project",
        "name",
        "is_active",
        "paused_at",
        "paused_reason",
        "failures",
        "max_failures",
        "runs_per_hour",
        "show_trigger",
        "show_action",
        "show_scopes",
        "next_run_at",
        "last_triggered_at",
        "show_runs",
        "created_at",
        "updated_at",
    )

    def has_run_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may run automations manually."""
        return request.user.has_perm("automations.run_automation")

    def has_pause_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may pause and resume automations."""
        return request.user.has_perm("automations.pause_automation")

    @admin.action(description="Run now", permissions=["run"])
    def run_now(self, request: HttpRequest, queryset: QuerySet[Automation]) -> None:
        """Trigger the selected automations with empty data, and report those refused."""
        assert isinstance(request.user, User)
        started = 0
        for automation in queryset:
            trigger = AutomationTrigger("manual", encode_id("trg", uuid7()), "manual", {})
            try:
                with transaction.atomic():
                    services.start_run(automation_id=automation.pk, trigger=trigger)
                    record_audit(action="automation.run", subject=automation.public_id, actor=request.user)
                started += 1
            except DomainError as refusal:
                self.message_user(request, f"{automation.name}: {refusal.detail}", messages.WARNING)
        self._report(request, started, "started")

    @admin.action(description="Pause", permissions=["pause"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Automation]) -> None:
        """Pause the selected automations."""
        assert isinstance(request.user, User)
        reason, actor = "Paused by staff.", request.user
        count = sum(services.pause_automation(automation_id=row.pk, reason=reason, actor=actor) for row in queryset)
        self._report(request, count, "paused")

    @admin.action(description="Resume", permissions=["pause"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Automation]) -> None:
        """Resume the selected automations that are paused."""
        assert isinstance(request.user, User)
        count = 0
        for row in queryset.filter(is_active=False):
            services.resume_automation(automation=row, actor=request.user)
            count += 1
        self._report(request, count, "resumed")

    def _report(self, request: HttpRequest, count: int, verb: str) -> None:
        self.message_user(request, f"{count} {verb}.", messages.SUCCESS if count else messages.WARNING)

    @admin.display(description="name", ordering="name")
    def show_name(self, row: Automation) -> str:
        """Return the name, shortened for the list."""
        return short_text(row.name)

    @admin.display(description="trigger")
    def show_trigger(self, row: Automation) -> SafeString | str:
        """Return the trigger as indented JSON."""
        return pretty_json(row.trigger)

    @admin.display(description="action")
    def show_action(self, row: Automation) -> SafeString | str:
        """Return the action as indented JSON."""
        return pretty_json(row.action)

    @admin.display(description="author scopes")
    def show_scopes(self, row: Automation) -> str:
        """Return the scopes of the credential that set the action."""
        return ", ".join(row.author_scopes) or "—"

    @admin.display(description="runs")
    def show_runs(self, row: Automation) -> SafeString:
        """Return a link to the automation's runs."""
        url = reverse("admin:automations_automationrun_changelist")
        return format_html('<a href="{}?automation__id__exact={}">All runs</a>', url, row.pk)


@admin.register(AutomationRun)
class AutomationRunAdmin(ReadOnlyAdmin):
    """Runs of automations, with their triggers and outcomes; read-only."""

    list_display = ("created_at", "show_automation", "owner", "trigger_type", "show_status", "show_error", "render")
    list_display_links = ("created_at",)
    list_filter = ("status", "trigger_type", "created_at")
    search_fields = ("=owner__username", "=trigger_key")
    list_select_related = ("automation", "owner", "render")
    raw_id_fields = ("automation", "owner", "render")
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    fields = (
        "public_id",
        "automation",
        "owner",
        "trigger_type",
        "trigger_key",
        "status",
        "render",
        "created_at",
        "started_at",
        "finished_at",
        "show_input",
        "show_request",
        "show_whole_error",
        "chain",
        "job_id",
    )

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Allow the lookup used by the link from an automation to its runs."""
        return lookup == "automation__id__exact" or super().lookup_allowed(lookup, value, request)

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the rows without their large columns, which only the detail page loads."""
        return super().get_queryset(request).defer("input", "request", "render__edit", "render__merge", "render__log")

    @admin.display(description="automation", ordering="automation__name")
    def show_automation(self, row: AutomationRun) -> str:
        """Return the automation's name, shortened for the list."""
        return short_text(row.automation.name)

    @display(description="status", label=_STATUS_COLORS, ordering="status")  # type: ignore[untyped-decorator]
    def show_status(self, row: AutomationRun) -> Any:
        """Return the status as a coloured label."""
        return row.status, row.get_status_display()

    @admin.display(description="error")
    def show_error(self, row: AutomationRun) -> str:
        """Return the code of the error."""
        return str(row.error["code"]) if row.error else "—"

    @admin.display(description="input")
    def show_input(self, row: AutomationRun) -> SafeString | str:
        """Return the input of the trigger as indented JSON."""
        return pretty_json(row.input)

    @admin.display(description="request")
    def show_request(self, row: AutomationRun) -> SafeString | str:
        """Return the interpolated action as indented JSON."""
        return pretty_json(row.request)

    @admin.display(description="error")
    def show_whole_error(self, row: AutomationRun) -> SafeString | str:
        """Return the error as indented JSON."""
        return pretty_json(row.error)
