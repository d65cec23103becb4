"""Admin screen of batches, with an action that cancels them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import display

from core.admin import ReadOnlyAdmin, audited, pretty_json
from core.exceptions import DomainError
from core.ids import decode_id
from credits.pricing import format_credits
from renders.admin.html import progress_bar
from renders.models import Batch
from renders.selectors import batch_progress
from renders.services.batch_cancel import cancel_batch_renders, request_batch_cancel
from renders.states import BatchStatus

STATUS_COLORS: dict[str, str] = {
    BatchStatus.PROCESSING: "info",
    BatchStatus.CANCELLING: "warning",
    BatchStatus.COMPLETED: "success",
}


@admin.register(Batch)
class BatchAdmin(ReadOnlyAdmin):
    """Read-only: batches are created through the API. The cancel action needs its own permission."""

    list_display = (
        "public_id",
        "shown_status",
        "shown_progress",
        "owner",
        "shown_ends",
        "shown_credits",
        "created_at",
        "finished_at",
    )
    list_filter = ("status", "created_at")
    search_fields = ("owner__username", "owner__email")
    search_help_text = "A batch's id, or the name or email of its owner"
    list_select_related = ("owner",)
    raw_id_fields = ("owner", "project", "template")
    date_hierarchy = "created_at"
    ordering = ("-created_at", "-id")
    actions = ("cancel_batches",)
    fields = (
        "public_id",
        "shown_status",
        "shown_counts",
        "shown_renders",
        "owner",
        "project",
        "template",
        "shown_credits",
        "shown_metadata",
        "created_at",
        "cancel_requested_at",
        "finished_at",
    )
    readonly_fields = fields

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Accept a public id as the search term."""
        try:
            return queryset.filter(pk=decode_id(Batch.ID_PREFIX, search_term.strip())), False
        except ValueError:
            found: tuple[Any, bool] = super().get_search_results(request, queryset, search_term)
            return found

    @display(description="status", label=STATUS_COLORS, ordering="status")  # type: ignore[untyped-decorator]
    def shown_status(self, batch: Batch) -> str:
        """Return the status as a badge."""
        return str(batch.status)

    @admin.display(description="ended")
    def shown_progress(self, batch: Batch) -> str:
        """Return a bar of the ended renders, from the row alone: counting by status would cost a query for each row."""
        done = batch.status == BatchStatus.COMPLETED
        return progress_bar(100.0 * (batch.total - batch.pending) / batch.total, done=done)

    @admin.display(description="renders")
    def shown_ends(self, batch: Batch) -> str:
        """Return the total and the number for each outcome, zeros left out."""
        parts = [f"{batch.total:,}"]
        parts += [
            f"{number:,} {name}"
            for name, number in (
                ("succeeded", batch.succeeded),
                ("failed", batch.failed),
                ("cancelled", batch.cancelled),
            )
            if number
        ]
        return ", ".join(parts)

    @admin.display(description="credits")
    def shown_credits(self, batch: Batch) -> str:
        """Return the charged and the reserved credits."""
        return f"{format_credits(batch.credits_charged)} of {format_credits(batch.credits_reserved)}"

    @admin.display(description="renders by status")
    def shown_counts(self, batch: Batch) -> str:
        """Return the current number of renders in each status."""
        counts = batch_progress([batch])[batch.pk].counts
        return ", ".join(f"{number:,} {status}" for status, number in counts.items() if number)

    @admin.display(description="renders")
    def shown_renders(self, batch: Batch) -> str:
        """Return a link to the list of renders, filtered by this batch."""
        url = f"{reverse('admin:renders_render_changelist')}?batch__id__exact={batch.pk}"
        return format_html('<a href="{}">{} renders</a>', url, batch.total)

    @admin.display(description="metadata")
    def shown_metadata(self, batch: Batch) -> str:
        """Return the metadata that every render got, as indented JSON."""
        return pretty_json(batch.metadata)

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Return whether the cancel action is offered."""
        return bool(request.user.has_perm("renders.cancel_batch"))

    @admin.action(description="Cancel", permissions=["cancel"])
    def cancel_batches(self, request: HttpRequest, queryset: QuerySet[Batch]) -> None:
        """Cancel the unfinished renders of the selected batches."""
        count = 0
        for batch in queryset:
            try:
                # Only the request runs in the audited transaction: cancelling 1,000 renders would lock too long.
                with audited(request, "batch.cancelled", batch.public_id):
                    request_batch_cancel(batch=batch)
                cancel_batch_renders(batch_id=batch.pk)
                count += 1
            except DomainError as refusal:
                self.message_user(request, f"{batch.public_id}: {refusal.detail}", messages.WARNING)
        if count:
            self.message_user(request, f"{count} batches cancelled.", messages.SUCCESS)
