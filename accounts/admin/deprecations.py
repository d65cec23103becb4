"""Admin of calls to deprecated routes and of the notices sent about them."""

from __future__ import annotations

from django.contrib import admin

from accounts.models import DeprecatedCall, DeprecationNotice
from core.admin import ReadOnlyAdmin


@admin.register(DeprecatedCall)
class DeprecatedCallAdmin(ReadOnlyAdmin):
    """Calls to deprecated routes, by API key."""

    list_display = ("key", "owner", "version", "route", "calls", "first_called_at", "last_called_at")
    list_filter = ("version", "route")
    search_fields = ("=key__key_prefix", "=key__user__username", "=route")
    list_select_related = ("key__user",)
    date_hierarchy = "last_called_at"
    ordering = ("-last_called_at",)
    fields = ("key", "owner", "version", "route", "calls", "first_called_at", "last_called_at")

    @admin.display(description="owner", ordering="key__user__username")
    def owner(self, row: DeprecatedCall) -> str:
        """Return the username of the key's owner."""
        return row.key.user.get_username()


@admin.register(DeprecationNotice)
class DeprecationNoticeAdmin(ReadOnlyAdmin):
    """Notices to key owners about deprecated versions and routes."""

    list_display = ("created_at", "user", "subject", "kind", "calls", "emailed_at", "email_due_at")
    list_filter = ("kind", "subject")
    search_fields = ("=user__username", "=subject")
    list_select_related = ("user",)
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    fields = ("created_at", "user", "subject", "kind", "due", "calls", "emailed_at", "email_due_at")
