"""Admin of webhooks: endpoints with their health, deliveries and attempts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.admin import TabularInline
from unfold.decorators import display

from core.admin import ReadOnlyAdmin, ReadOnlyRows, audited, short_text, text_box
from core.exceptions import DomainError
from notifications.models import DeliveryAttempt, WebhookDelivery, WebhookEndpoint, WebhookEndpointHealth
from notifications.models.webhooks import DeliveryStatus, DisabledReason
from notifications.services.deliveries import redeliver, send_test
from notifications.services.endpoints import disable_endpoint, enable_endpoint

_DELIVERY_LABELS = {
    DeliveryStatus.PENDING: "info",
    DeliveryStatus.SUCCEEDED: "success",
    DeliveryStatus.FAILED: "danger",
}
_ENDPOINT_LABELS = {"enabled": "success", "disabled": "danger", "deleted": "warning"}


@dataclass(frozen=True)
class RowAction:
    """A staff action on each selected row. action: its name in the audit log. outcome: message after the count."""

    action: str
    do: Callable[[Any], object]
    outcome: str


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ReadOnlyAdmin):
    """List of endpoints, which staff can disable, enable and test but not edit."""

    list_display = ("show_url", "owner", "show_status", "disabled_reason", "show_events", "show_health", "created_at")
    list_filter = ("is_enabled", "disabled_reason", "kind", ("deleted_at", admin.EmptyFieldListFilter), "created_at")
    search_fields = ("=owner__username", "url")
    list_select_related = ("owner", "health")
    raw_id_fields = ("owner",)
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    actions = ("disable", "enable", "test")
    fields = (
        *("public_id", "owner", "kind", "url", "description", "events"),
        *("show_status", "disabled_reason", "disabled_at", "show_health"),
        *("previous_secret_until", "created_at", "deleted_at"),
    )

    @admin.display(description="receiver", ordering="url")
    def show_url(self, row: WebhookEndpoint) -> str:
        """Return the URL, truncated for the column."""
        return short_text(str(row))

    @display(description="status", label=_ENDPOINT_LABELS)  # type: ignore[untyped-decorator]
    def show_status(self, row: WebhookEndpoint) -> str:
        """Return enabled, disabled or deleted."""
        if row.deleted_at is not None:
            return "deleted"
        return "enabled" if row.is_enabled else "disabled"

    @admin.display(description="events")
    def show_events(self, row: WebhookEndpoint) -> str:
        """Return the subscribed event types, truncated for the column."""
        return short_text(", ".join(row.events))

    @admin.display(description="health")
    def show_health(self, row: WebhookEndpoint) -> str:
        """Return the failures, slowness and limit of the receiver; a dash for a healthy one."""
        health = row.health
        parts = [] if health.failing_since is None else [f"failing since {health.failing_since:%Y-%m-%d %H:%M}"]
        if health.is_slow:
            parts.append("slow")
        if health.limit_running < 4:
            parts.append(f"{health.limit_running} at a time")
        return ", ".join(parts) or "—"

    def has_switch_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may disable, enable and test endpoints."""
        return request.user.has_perm("notifications.switch_webhook_endpoint")

    @admin.action(description="Disable and notify the owners", permissions=["switch"])
    def disable(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        """Disable the selected endpoints and notify their owners."""
        done = 0
        for endpoint in queryset.filter(is_enabled=True):
            with audited(request, "webhook_endpoint.disabled", endpoint.public_id):
                done += disable_endpoint(endpoint=endpoint, reason=DisabledReason.STAFF)
        self.message_user(request, f"{done} disabled.", messages.SUCCESS)

    @admin.action(description="Enable", permissions=["switch"])
    def enable(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        """Enable the selected endpoints and reset their health."""
        done = 0
        for endpoint in queryset.filter(is_enabled=False):
            with audited(request, "webhook_endpoint.enabled", endpoint.public_id):
                done += enable_endpoint(endpoint=endpoint)
        self.message_user(request, f"{done} enabled.", messages.SUCCESS)

    @admin.action(description="Send a test event", permissions=["switch"])
    def test(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        """Send a ping to the selected endpoints."""
        row_action = RowAction(
            "webhook_endpoint.tested", lambda endpoint: send_test(endpoint=endpoint), "test events queued"
        )
        _apply_to_each(self, request, queryset, row_action)


class DeliveryAttemptInline(ReadOnlyRows, TabularInline):
    """Attempts on the page of a delivery."""

    model = DeliveryAttempt
    fields = ("number", "created_at", "status_code", "error", "detail", "duration_s", "response_body")
    readonly_fields = fields
    extra = 0
    ordering = ("number",)


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    """List of deliveries, which staff can send again but not edit."""

    list_display = (
        *("created_at", "type", "resource", "endpoint", "show_status"),
        *("attempts", "last_status_code", "last_error", "next_attempt_at"),
    )
    list_display_links = ("created_at", "type")
    list_filter = ("status", "type", "format", "created_at")
    search_fields = ("=resource", "=endpoint__owner__username")
    search_help_text = "Public id of the resource, or user name of the owner"
    list_select_related = ("endpoint",)
    raw_id_fields = ("endpoint",)
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    inlines = (DeliveryAttemptInline,)
    actions = ("send_again",)
    fields = (
        *("public_id", "endpoint", "target_url", "type", "resource", "sequence", "format"),
        *("show_status", "attempts", "next_attempt_at", "created_at", "finished_at", "show_body"),
    )

    @display(description="status", label=_DELIVERY_LABELS, ordering="status")  # type: ignore[untyped-decorator]
    def show_status(self, row: WebhookDelivery) -> Any:
        """Return the status as a coloured label."""
        return row.status, row.get_status_display()

    @admin.display(description="body")
    def show_body(self, row: WebhookDelivery) -> SafeString | str:
        """Return the signed body in a box."""
        return text_box(row.body)

    def has_redeliver_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may send deliveries again."""
        return request.user.has_perm("notifications.redeliver_webhook")

    @admin.action(description="Send again", permissions=["redeliver"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> None:
        """Send the selected deliveries again immediately."""
        row_action = RowAction("webhook_delivery.sent_again", lambda row: redeliver(delivery=row), "queued")
        _apply_to_each(self, request, queryset, row_action)


@admin.register(DeliveryAttempt)
class DeliveryAttemptAdmin(ReadOnlyAdmin):
    """Read-only list of delivery attempts."""

    list_display = ("created_at", "delivery", "number", "status_code", "error", "duration_s")
    list_display_links = ("created_at", "delivery")
    list_filter = ("error", "status_code", "created_at")
    search_fields = ("=delivery__resource",)
    list_select_related = ("delivery",)
    raw_id_fields = ("delivery",)
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    fields = ("delivery", "number", "created_at", "status_code", "error", "detail", "duration_s", "show_response")

    @admin.display(description="response")
    def show_response(self, row: DeliveryAttempt) -> SafeString | str:
        """Return the beginning of the response body, escaped: it is untrusted."""
        return text_box(row.response_body)


@admin.register(WebhookEndpointHealth)
class WebhookEndpointHealthAdmin(ReadOnlyAdmin):
    """Read-only list of endpoint health, longest failing first."""

    list_display = ("endpoint", "failing_since", "last_success_at", "last_attempt_at", "limit_running", "is_slow")
    list_filter = (("failing_since", admin.EmptyFieldListFilter), "is_slow", "limit_running")
    search_fields = ("=endpoint__owner__username",)
    list_select_related = ("endpoint",)
    raw_id_fields = ("endpoint",)
    date_hierarchy = "failing_since"
    ordering = ("failing_since",)


def _apply_to_each(model_admin: Any, request: HttpRequest, rows: QuerySet[Any], row_action: RowAction) -> None:
    done, refusals = 0, []
    for row in rows:
        try:
            with audited(request, row_action.action, row.public_id):
                row_action.do(row)
            done += 1
        except DomainError as error:
            refusals.append(error.detail)
    model_admin.message_user(request, f"{done} {row_action.outcome}.", messages.SUCCESS)
    for refusal in sorted(set(refusals)):
        model_admin.message_user(request, f"{refusals.count(refusal)} refused: {refusal}", messages.WARNING)
