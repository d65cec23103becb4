"""Admin of the audit log and of revoked tokens."""

from __future__ import annotations

from django.contrib import admin

from accounts.models import AuditEntry, RevokedToken
from core.admin import ReadOnlyAdmin


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """The audit log: actor, action and subject."""

    list_display = ("created_at", "action", "subject", "actor_name", "address")
    list_filter = ("action",)
    search_fields = ("=subject", "=actor_name")
    list_select_related = ("actor",)
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    fields = ("created_at", "action", "subject", "actor", "actor_name", "address", "details")


@admin.register(RevokedToken)
class RevokedTokenAdmin(ReadOnlyAdmin):
    """Tokens and sessions revoked before they expired."""

    list_display = ("created_at", "user", "expires_at")
    list_filter = ("created_at",)
    search_fields = ("=user__username",)
    list_select_related = ("user",)
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    fields = ("created_at", "user", "expires_at")
