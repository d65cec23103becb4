"""Read-only admin of inboxes, emails and preferences."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils.safestring import SafeString
from unfold.decorators import display

from core.admin import ReadOnlyAdmin, short_text, text_box
from notifications.models import Notification, NotificationPreference, OutgoingEmail
from notifications.models.inbox import OutgoingEmailStatus

_LABELS = {
    OutgoingEmailStatus.PENDING: "info",
    OutgoingEmailStatus.SENDING: "info",
    OutgoingEmailStatus.SENT: "success",
    OutgoingEmailStatus.UNCONFIRMED: "warning",
    OutgoingEmailStatus.FAILED: "danger",
}


class _UserMessageAdmin(ReadOnlyAdmin):
    """Base of the lists of notifications and emails."""

    list_select_related = ("user",)
    raw_id_fields = ("user",)
    date_hierarchy = "created_at"
    ordering = ("-created_at",)

    @admin.display(description="title", ordering="title")
    def show_title(self, row: Any) -> str:
        """Return the title, truncated for the column."""
        return short_text(row.title)

    @admin.display(description="body")
    def show_body(self, row: Any) -> SafeString | str:
        """Return the escaped text in a box."""
        return text_box(row.body)


@admin.register(Notification)
class NotificationAdmin(_UserMessageAdmin):
    """Read-only list of the notifications in all inboxes."""

    list_display = ("created_at", "user", "kind", "show_title", "resource", "read_at")
    list_display_links = ("created_at", "show_title")
    list_filter = (("read_at", admin.EmptyFieldListFilter), "created_at")
    search_fields = ("=user__username", "=kind", "=resource")
    fields = ("public_id", "created_at", "user", "kind", "title", "show_body", "resource", "read_at")


@admin.register(OutgoingEmail)
class OutgoingEmailAdmin(_UserMessageAdmin):
    """Read-only list of sent and pending emails."""

    list_display = ("created_at", "user", "kind", "show_title", "show_status", "ended_at")
    list_display_links = ("created_at", "show_title")
    list_filter = ("status", "created_at")
    search_fields = ("=user__username", "=kind", "=resource")
    fields = (
        *("public_id", "created_at", "user", "kind", "title", "show_body", "resource"),
        *("status", "claimed_by", "claimed_at", "ended_at"),
    )

    @display(description="status", label=_LABELS, ordering="status")  # type: ignore[untyped-decorator]
    def show_status(self, row: OutgoingEmail) -> Any:
        """Return the status as a coloured label."""
        return row.status, row.get_status_display()


@admin.register(NotificationPreference)
class NotificationPreferenceAdmin(ReadOnlyAdmin):
    """Read-only list of preferences; a user without a row has the defaults."""

    list_display = ("user", "kind", "inbox", "email", "created_at")
    list_filter = ("kind", "inbox", "email")
    search_fields = ("=user__username",)
    list_select_related = ("user",)
    raw_id_fields = ("user",)
    ordering = ("user_id", "kind")
    fields = ("public_id", "user", "kind", "inbox", "email", "created_at")
