"""Staff's screens of inboxes, emails and preferences: all only to read."""

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
    """What an entry and an email have in common."""

    list_select_related = ("user",)
    raw_id_fields = ("user",)
    date_hierarchy = "created_at"
    ordering = ("-created_at",)

    @admin.display(description="title", ordering="title")
    def show_title(self, row: Any) -> str:
        """Return the title, cut to the width of a column."""
        return short_text(row.title)

    @admin.display(description="body")
    def show_body(self, row: Any) -> SafeString | str:
        """Return the text in a box."""
        return text_box(row.body)


@admin.register(Notification)
class NotificationAdmin(_UserMessageAdmin):
    """Entries of all inboxes."""

    list_display = ("created_at", "user", "kind", "show_title", "resource", "read_at")
    list_display_links = ("created_at", "show_title")
    list_filter = (("read_at", admin.EmptyFieldListFilter), "created_at")
    search_fields = ("=user__username", "=kind", "=resource")
    fields = ("public_id", "created_at", "user", "kind", "title", "show_body", "resource", "read_at")


@admin.register(OutgoingEmail)
class OutgoingEmailAdmin(_UserMessageAdmin):
    """Notifications that went, or should go, out by e-mail."""

    list_display = ("created_at", "user", "kind", "show_title", "show_status", "ended_at")
    list_display_links = ("created_at", "show_title")
    list_filter = ("status", "created_at")
    search_fields = ("=user__username", "=kind", "=resource")
    fields = (
        "public_id",
        "created_at",
        "user",
        "kind",
        "title",
        "show_body",
        "resource",
        "status",
        "claimed_by",
        "claimed_at",
        "ended_at",
    )

    @display(description="status", label=_LABELS, ordering="status")  # type: ignore[untyped-decorator]
    def show_status(self, row: OutgoingEmail) -> Any:
        """Show the status in its colour."""
        return row.status, row.get_status_display()


@admin.register(NotificationPreference)
class NotificationPreferenceAdmin(ReadOnlyAdmin):
    """What users chose; what they left as it is has no row."""

    list_display = ("user", "kind", "inbox", "email", "created_at")
    list_filter = ("kind", "inbox", "email")
    search_fields = ("=user__username",)
    list_select_related = ("user",)
    raw_id_fields = ("user",)
    ordering = ("user_id", "kind")
    fields = ("public_id", "user", "kind", "inbox", "email", "created_at")
