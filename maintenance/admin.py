"""Staff's screens of the migrations on record."""

from __future__ import annotations

from django.contrib import admin

from core.admin import ReadOnlyAdmin
from maintenance.models import MigrationChecksum


@admin.register(MigrationChecksum)
class MigrationChecksumAdmin(ReadOnlyAdmin):
    """Which migrations this database ran, in which version of the product, and how long they took."""

    list_display = ("app", "name", "app_version", "duration_ms", "is_baseline", "applied_at", "accepted_at")
    list_filter = ("app", "app_version", "is_baseline")
    search_fields = ("app", "name")
    date_hierarchy = "applied_at"
    ordering = ("app", "name")
