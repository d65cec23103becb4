"""Admin of the migration checksums."""

from __future__ import annotations

from django.contrib import admin

from core.admin import ReadOnlyAdmin
from maintenance.models import MigrationChecksum


@admin.register(MigrationChecksum)
class MigrationChecksumAdmin(ReadOnlyAdmin):
    """The migrations this database has run: product version, time taken, and whether an edit was accepted."""

    list_display = ("app", "name", "app_version", "duration_ms", "is_baseline", "applied_at", "accepted_at")
    list_filter = ("app", "app_version", "is_baseline")
    search_fields = ("app", "name")
    date_hierarchy = "applied_at"
    ordering = ("app", "name")
