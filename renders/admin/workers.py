"""Admin screens of external workers: their leases and processed messages."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString
from unfold.decorators import display

from core.admin import ReadOnlyAdmin, pretty_json
from renders.models import ExternalLease, WorkerMessage


@admin.register(ExternalLease)
class ExternalLeaseAdmin(ReadOnlyAdmin):
    """Read-only: attempts of external workers. Only the digest of the lease token is stored."""

    list_display = ("render", "attempt", "worker", "pool", "holds", "reports", "ignored", "created_at", "ended_at")
    list_filter = ("pool", ("ended_at", admin.EmptyFieldListFilter), "created_at")
    search_fields = ("=worker",)
    search_help_text = "The full name of a worker"
    list_select_related = ("render",)
    raw_id_fields = ("render",)
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    fields = (
        "public_id",
        "render",
        "attempt",
        "worker",
        "pool",
        "total_frames",
        "shown_output",
        "shown_poster",
        "shown_thumbnail",
        "reports",
        "ignored",
        "created_at",
        "last_report_at",
        "ended_at",
    )

    @display(boolean=True, description="open")  # type: ignore[untyped-decorator]
    def holds(self, lease: ExternalLease) -> bool:
        """Return whether the attempt is still running."""
        return lease.ended_at is None

    @admin.display(description="output")
    def shown_output(self, lease: ExternalLease) -> SafeString | str:
        """Return the facts about the uploaded output as JSON."""
        return pretty_json(lease.output)

    @admin.display(description="poster")
    def shown_poster(self, lease: ExternalLease) -> SafeString | str:
        """Return the facts about the uploaded poster as JSON."""
        return pretty_json(lease.poster)

    @admin.display(description="thumbnail")
    def shown_thumbnail(self, lease: ExternalLease) -> SafeString | str:
        """Return the facts about the uploaded thumbnail as JSON."""
        return pretty_json(lease.thumbnail)


@admin.register(WorkerMessage)
class WorkerMessageAdmin(ReadOnlyAdmin):
    """Read-only: messages processed in the last 24 hours; a repeated one has no effect."""

    list_display = ("message_id", "pool", "body_sha256", "created_at")
    list_filter = ("pool", "created_at")
    search_fields = ("=message_id",)
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    fields = ("message_id", "pool", "body_sha256", "created_at")
