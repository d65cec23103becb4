"""Admin of alerts, their rules, messages and silences."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display

from core.admin import AuditedForms, ReadOnlyAdmin, ReadOnlyRows, pretty_json, short_text
from monitoring.alerting import services
from monitoring.alerting.metrics import alert_metrics
from monitoring.alerting.rules import is_built_in
from monitoring.alerting.state_machine import AlertState, Severity
from monitoring.models import Alert, AlertMessage, AlertNotification, AlertRule, EvaluatorLease, HealthSample, Silence

_STATE_COLORS = {
    AlertState.INACTIVE: "info",
    AlertState.PENDING: "warning",
    AlertState.FIRING: "danger",
    AlertState.RESOLVED: "success",
}
_SEVERITY_COLORS = {Severity.NONE: "info", Severity.TICKET: "warning", Severity.PAGE: "danger"}


class MessageInline(ReadOnlyRows, TabularInline):
    """The messages of an alert, on its page."""

    model = AlertMessage
    fields = ("number", "at", "kind", "severity", "value", "notification")
    readonly_fields = fields
    extra = 0
    ordering = ("-number",)


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    """Alerts of all rules. Acknowledging and silencing affect messages, never states."""

    list_display = (
        *("show_alert", "show_state", "since", "show_severity", "value", "is_flapping"),
        *("acknowledged_by", "notified_at"),
    )
    list_display_links = ("show_alert",)
    list_filter = ("state", "severity", "rule", ("flapping_since", admin.EmptyFieldListFilter))
    search_fields = ("=rule__name", "=fingerprint")
    list_select_related = ("rule", "acknowledged_by")
    raw_id_fields = ("rule", "acknowledged_by")
    date_hierarchy = "since"
    ordering = ("-since", "-id")
    inlines = (MessageInline,)
    actions = ("acknowledge", "silence_hour", "silence_day")
    fields = (
        *("public_id", "rule", "show_labels", "show_state", "since", "show_severity", "value", "pending_since"),
        *("firing_since", "clear_since", "flapping_since", "acknowledged_at", "acknowledged_by", "notified_state"),
        *("notified_severity", "notified_at", "number", "fingerprint"),
    )

    @admin.display(description="alert", ordering="rule__name")
    def show_alert(self, row: Alert) -> str:
        """Show the rule and the labels."""
        return short_text(str(row))

    @display(description="state", label=_STATE_COLORS, ordering="state")  # type: ignore[untyped-decorator]
    def show_state(self, row: Alert) -> Any:
        """Show the state as a coloured label."""
        return row.state, row.get_state_display()

    @display(description="severity", label=_SEVERITY_COLORS, ordering="severity")  # type: ignore[untyped-decorator]
    def show_severity(self, row: Alert) -> Any:
        """Show the severity as a coloured label."""
        return row.severity, row.get_severity_display()

    @display(description="flapping", boolean=True)  # type: ignore[untyped-decorator]
    def is_flapping(self, row: Alert) -> bool:
        """Show whether the alert is flapping."""
        return row.flapping_since is not None

    @admin.display(description="labels")
    def show_labels(self, row: Alert) -> SafeString | str:
        """Show the labels, which a silence can match."""
        return pretty_json(row.labels)

    def has_acknowledge_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may acknowledge alerts."""
        return request.user.has_perm("monitoring.acknowledge_alert")

    def has_silence_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may silence alerts."""
        return request.user.has_perm("monitoring.silence_alert")

    @admin.action(description="Acknowledge (stops reminders)", permissions=["acknowledge"])
    def acknowledge(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        """Acknowledge the selected alerts that are firing."""
        ids = list(queryset.values_list("pk", flat=True))
        done = sum(services.acknowledge_alert(alert_id=alert_id, user=request.user) for alert_id in ids)
        self.message_user(request, f"{done} acknowledged.", messages.SUCCESS if done else messages.WARNING)

    @admin.action(description="Silence for an hour", permissions=["silence"])
    def silence_hour(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        """Silence the selected alerts for an hour."""
        self._silence(request, queryset, timedelta(hours=1))

    @admin.action(description="Silence for a day", permissions=["silence"])
    def silence_day(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        """Silence the selected alerts for a day."""
        self._silence(request, queryset, timedelta(days=1))

    def _silence(self, request: HttpRequest, queryset: QuerySet[Alert], duration: timedelta) -> None:
        reason = f"Silenced from the list of alerts by {request.user.get_username()}"[:200]
        for alert in queryset:
            services.silence_alert(alert=alert, duration=duration, user=request.user, reason=reason)
        self.message_user(request, f"{len(queryset)} silenced.", messages.SUCCESS)


class AlertRuleForm(ModelForm):  # type: ignore[type-arg]
    """Form that accepts only rules that can be evaluated."""

    class Meta:
        model = AlertRule
        fields: tuple[str, ...] = (
            *("name", "summary", "is_enabled", "metric", "parameters", "fire_above", "clear_below", "page_above"),
            *("for_s", "keep_firing_for_s", "severity", "labels", "minimum_samples", "reminder_s", "alerts_on_no_data"),
        )

    def clean(self) -> dict[str, Any]:
        """Refuse unknown metrics, parameters that the metric does not have, and labels that are not text."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        metric = alert_metrics.get(cleaned.get("metric", ""))
        if metric is None:
            names = ", ".join(f"{metric.name} ({metric.summary})" for metric in alert_metrics.by_name())
            raise ValidationError({"metric": f"Use one of these metrics: {names}."})
        if error := metric.parameter_error(cleaned.get("parameters") or {}):
            raise ValidationError({"parameters": error})
        labels = cleaned.get("labels") or {}
        if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
            raise ValidationError({"labels": "Labels must be a JSON object whose values are strings."})
        return cleaned


@admin.register(AlertRule)
class AlertRuleAdmin(AuditedForms, ModelAdmin):
    """Alert rules, which staff may add, edit and disable."""

    form = AlertRuleForm
    list_display = ("name", "summary", "is_enabled", "metric", "fire_above", "clear_below", "for_s", "severity")
    list_filter = ("is_enabled", "severity", "metric")
    search_fields = ("name", "summary")
    ordering = ("name",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Make the names of built-in rules read-only: a renamed rule would be created again."""
        return ("name",) if obj is not None and is_built_in(obj) else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse built-in rules, which would be created again; staff can disable them."""
        if obj is not None and is_built_in(obj):
            return False
        return bool(super().has_delete_permission(request, obj))

    def get_actions(self, request: HttpRequest) -> Any:
        """Remove bulk deletion, which does not check the permission for each rule."""
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions


@admin.register(Silence)
class SilenceAdmin(AuditedForms, ModelAdmin):
    """Silences: labels whose alerts send no messages for a while."""

    list_display = ("show_labels", "reason", "starts_at", "ends_at", "in_force", "created_by")
    list_filter = ("ends_at",)
    search_fields = ("reason", "=created_by__username")
    list_select_related = ("created_by",)
    raw_id_fields = ("created_by",)
    date_hierarchy = "ends_at"
    ordering = ("-ends_at",)
    actions = ("end",)
    fields = ("labels", "reason", "starts_at", "ends_at")

    @admin.display(description="labels")
    def show_labels(self, row: Silence) -> str:
        """Show the labels that alerts must have."""
        return short_text(str(row))

    @display(description="in force", boolean=True)  # type: ignore[untyped-decorator]
    def in_force(self, row: Silence) -> bool:
        """Show whether the silence is in force now."""
        return row.starts_at <= timezone.now() < row.ends_at

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Suggest one hour from now."""
        now = timezone.now()
        return {"starts_at": now, "ends_at": now + timedelta(hours=1)}

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Record the creator of a new silence."""
        if not change:
            obj.created_by = request.user
        super().save_model(request, obj, form, change)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse deletion: silences are ended, and stay as a record."""
        return False

    def has_end_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may end silences."""
        return request.user.has_perm("monitoring.end_silence")

    @admin.action(description="End now", permissions=["end"])
    def end(self, request: HttpRequest, queryset: QuerySet[Silence]) -> None:
        """End the selected silences."""
        ids = list(queryset.values_list("pk", flat=True))
        done = sum(services.end_silence(silence_id=silence_id, user=request.user) for silence_id in ids)
        self.message_user(request, f"{done} ended.", messages.SUCCESS if done else messages.WARNING)


@admin.register(AlertMessage)
class AlertMessageAdmin(ReadOnlyAdmin):
    """Messages of all alerts."""

    list_display = ("at", "alert", "kind", "severity", "value", "number")
    list_display_links = ("at", "alert")
    list_filter = ("kind", "severity", "at")
    search_fields = ("=alert__fingerprint", "=alert__rule__name")
    list_select_related = ("alert",)
    raw_id_fields = ("alert", "notification")
    date_hierarchy = "at"
    ordering = ("-at", "-id")
    fields = ("message_id", "alert", "notification", "at", "kind", "severity", "value", "number")


@admin.register(AlertNotification)
class AlertNotificationAdmin(ReadOnlyAdmin):
    """Groups of messages that were sent together. The reference finds their jobs and attempts."""

    list_display = ("created_at", "rule", "closes_at", "closed_at")
    list_display_links = ("created_at", "rule")
    list_filter = ("rule", "created_at")
    search_fields = ("=rule__name",)
    list_select_related = ("rule",)
    raw_id_fields = ("rule",)
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    fields = ("public_id", "reference", "rule", "created_at", "closes_at", "closed_at")


@admin.register(EvaluatorLease)
class EvaluatorLeaseAdmin(ReadOnlyAdmin):
    """The worker that evaluates the rules, and its last evaluation."""

    list_display = ("name", "holder", "expires_at", "evaluated_at")
    list_filter = ("name",)
    search_fields = ("=holder",)
    ordering = ("name",)


@admin.register(HealthSample)
class HealthSampleAdmin(ReadOnlyAdmin):
    """The last result of each health check."""

    list_display = ("check_name", "level", "at")
    list_filter = ("level",)
    search_fields = ("check_name",)
    ordering = ("check_name",)
