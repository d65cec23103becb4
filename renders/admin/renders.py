"""Admin screen of renders, with actions that cancel, retry and delete outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import display

from core.admin import ReadOnlyAdmin, audited, pretty_json, text_box
from core.exceptions import DomainError
from core.ids import decode_id
from credits.pricing import format_credits
from files.links import signed_path
from renders.admin.html import image, issue_list, progress_bar, value_table, video_player
from renders.models import Render, RenderPriority
from renders.selectors import OUTPUT_TYPES
from renders.services.cancel import cancel_render
from renders.services.storage import delete_output
from renders.services.submit import retry_render
from renders.states import RUNNING, RenderStatus

STATUS_COLORS: dict[str, str] = {
    RenderStatus.SUCCEEDED: "success",
    RenderStatus.FAILED: "danger",
    RenderStatus.CANCELLED: "warning",
    RenderStatus.CANCELLING: "warning",
    **dict.fromkeys(RUNNING, "info"),
}


@admin.register(Render)
class RenderAdmin(ReadOnlyAdmin):
    """Read-only: renders are created through the API. Each of the three actions needs its own permission."""

    list_display = (
        "shown_thumbnail",
        "public_id",
        "shown_status",
        "shown_progress",
        "owner",
        "shown_priority",
        "shown_duration",
        "shown_credits",
        "created_at",
    )
    list_display_links = ("shown_thumbnail", "public_id")
    list_filter = ("status", "priority", "output_format", "created_at")
    search_fields = ("owner__username", "owner__email")
    search_help_text = "A render's id, or the name or email of its owner"
    list_select_related = ("owner",)
    raw_id_fields = ("owner", "project", "template", "batch", "retry_of")
    date_hierarchy = "created_at"
    ordering = ("-created_at", "-id")
    list_per_page = 25
    actions = ("cancel_renders", "retry_renders", "delete_outputs")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "public_id",
                    "shown_status",
                    "shown_progress",
                    "shown_player",
                    "shown_poster",
                    "shown_error",
                    "shown_warnings",
                    "shown_notes",
                )
            },
        ),
        ("Edit", {"classes": ["tab"], "fields": ("shown_edit", "shown_merge", "strict")}),
        (
            "Details",
            {
                "classes": ["tab"],
                "fields": (
                    "owner",
                    "project",
                    "template",
                    "template_version",
                    "batch",
                    "retry_of",
                    "shown_priority",
                    "shown_output",
                    "shown_credits",
                    "metadata",
                    "webhook",
                    "created_at",
                    "run_at",
                    "queued_at",
                    "started_at",
                    "finished_at",
                    "cancel_requested_at",
                    "output_deleted_at",
                ),
            },
        ),
        ("Execution", {"classes": ["tab"], "fields": ("shown_job", "attempt", "shown_timings", "shown_log")}),
    )
    readonly_fields = tuple(name for _, options in fieldsets for name in options["fields"])

    def get_queryset(self, request: HttpRequest) -> QuerySet[Render]:
        """Defer the long columns, which only the change page shows."""
        rows: QuerySet[Render] = super().get_queryset(request)
        return rows.without_large_columns()  # type: ignore[attr-defined, no-any-return]

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Accept a public id as the search term."""
        try:
            return queryset.filter(pk=decode_id(Render.ID_PREFIX, search_term.strip())), False
        except ValueError:
            found: tuple[Any, bool] = super().get_search_results(request, queryset, search_term)
            return found

    @display(description="status", label=STATUS_COLORS, ordering="status")  # type: ignore[untyped-decorator]
    def shown_status(self, render: Render) -> str:
        """Return the status as a badge."""
        return str(render.status)

    @admin.display(description="progress")
    def shown_progress(self, render: Render) -> str:
        """Return a progress bar, green once the render succeeded."""
        return progress_bar(render.percent, done=render.status == RenderStatus.SUCCEEDED)

    @admin.display(description="")
    def shown_thumbnail(self, render: Render) -> str:
        """Return the thumbnail, or a dash."""
        url = _picture_path(render, render.thumbnail_key)
        return image(url, height="2.5rem") if url else "—"

    @admin.display(description="poster")
    def shown_poster(self, render: Render) -> str:
        """Return the poster, or a dash."""
        url = _picture_path(render, render.poster_key)
        return image(url, height="12rem") if url else "—"

    @admin.display(description="output")
    def shown_player(self, render: Render) -> str:
        """Return a player of the output, or why there is none."""
        if not render.has_output:
            return "deleted" if render.output_deleted_at else "—"
        content_type = OUTPUT_TYPES[render.output_format]
        name = f"{render.public_id}.{render.output_format}"
        url = signed_path(key=render.output_key, content_type=content_type, filename=name).url
        return video_player(url, poster=_picture_path(render, render.poster_key), content_type=content_type)

    @admin.display(description="priority", ordering="priority")
    def shown_priority(self, render: Render) -> str:
        """Return the priority's name."""
        return str(RenderPriority(render.priority).label)

    @admin.display(description="duration")
    def shown_duration(self, render: Render) -> str:
        """Return the duration of the output in seconds."""
        return "—" if render.output_duration_s is None else f"{render.output_duration_s:.2f} s"

    @admin.display(description="credits")
    def shown_credits(self, render: Render) -> str:
        """Return the charged credits, or those still reserved."""
        if render.credits_charged is not None:
            return format_credits(render.credits_charged)
        return f"{format_credits(render.credits_reserved)} reserved"

    @admin.display(description="output file")
    def shown_output(self, render: Render) -> str:
        """Return format, frame size, frame rate, file size and checksum."""
        if render.output_size_bytes is None:
            return "—"
        size = f"{render.output_width}x{render.output_height}, {render.output_fps:g} fps, " if render.output_fps else ""
        return f"{render.output_format}, {size}{render.output_size_bytes:,} bytes, SHA-256 {render.output_sha256}"

    @admin.display(description="error")
    def shown_error(self, render: Render) -> str:
        """Return the error as indented JSON."""
        return pretty_json(render.error) if render.error else "—"

    @admin.display(description="warnings")
    def shown_warnings(self, render: Render) -> str:
        """Return the warnings about the edit."""
        return issue_list(render.warnings)

    @admin.display(description="notes")
    def shown_notes(self, render: Render) -> str:
        """Return what was done to show the sources as the edit describes them."""
        return issue_list(render.notes)

    @admin.display(description="edit")
    def shown_edit(self, render: Render) -> str:
        """Return the edit as indented JSON."""
        return pretty_json(render.edit)

    @admin.display(description="merge")
    def shown_merge(self, render: Render) -> str:
        """Return the merge values as indented JSON."""
        return pretty_json(render.merge) if render.merge else "—"

    @admin.display(description="timings")
    def shown_timings(self, render: Render) -> str:
        """Return a table of the seconds that each step took."""
        return value_table(render.timings)

    @admin.display(description="log")
    def shown_log(self, render: Render) -> str:
        """Return the log of the attempts."""
        return text_box(render.log)

    @admin.display(description="job")
    def shown_job(self, render: Render) -> str:
        """Return a link to the job in the queue."""
        if render.job_id is None:
            return "—"
        return format_html('<a href="{}">{}</a>', reverse("admin:jobs_job_change", args=[render.job_id]), render.job_id)

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Return whether the action is offered."""
        return bool(request.user.has_perm("renders.cancel_render"))

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Return whether the action is offered."""
        return bool(request.user.has_perm("renders.retry_render"))

    def has_delete_output_permission(self, request: HttpRequest) -> bool:
        """Return whether the action is offered."""
        return bool(request.user.has_perm("renders.delete_render_output"))

    @admin.action(description="Cancel", permissions=["cancel"])
    def cancel_renders(self, request: HttpRequest, queryset: QuerySet[Render]) -> None:
        """Cancel the selected renders."""
        self._for_each(request, queryset, "cancelled", "render.cancelled", lambda render: cancel_render(render=render))

    @admin.action(description="Retry as new renders", permissions=["retry"])
    def retry_renders(self, request: HttpRequest, queryset: QuerySet[Render]) -> None:
        """Submit the edits of the selected renders again; their owners pay for them."""
        self._for_each(
            request, queryset, "submitted again", "render.retried", lambda render: retry_render(render=render)
        )

    @admin.action(description="Delete outputs", permissions=["delete_output"])
    def delete_outputs(self, request: HttpRequest, queryset: QuerySet[Render]) -> None:
        """Delete the stored files of the selected renders."""
        done = "had their output deleted"
        self._for_each(request, queryset, done, "render.output_deleted", lambda render: delete_output(render=render))

    def _for_each(
        self, request: HttpRequest, rows: QuerySet[Render], done: str, action: str, act: Callable[[Render], object]
    ) -> None:
        """Call `act` for each render, audited; report how many succeeded and why others were refused."""
        count = 0
        for render in rows:
            try:
                with audited(request, action, render.public_id):
                    act(render)
                count += 1
            except DomainError as refusal:
                self.message_user(request, f"{render.public_id}: {refusal.detail}", messages.WARNING)
        if count:
            self.message_user(request, f"{count} renders {done}.", messages.SUCCESS)


def _picture_path(render: Render, key: str) -> str:
    if not key or not render.has_output:
        return ""
    return signed_path(key=key, content_type="image/jpeg", filename=f"{render.public_id}.jpg").url
