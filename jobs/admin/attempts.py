"""Admin of job attempts: an inline of their job, and a list of their own."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.admin import TabularInline
from unfold.decorators import display

from core.admin import ReadOnlyAdmin
from core.ids import decode_id
from jobs.admin.errors import error_text
from jobs.models import Job, JobAttempt
from jobs.states import AttemptOutcome

OUTCOME_COLORS: dict[str, str] = {
    AttemptOutcome.SUCCEEDED: "success",
    AttemptOutcome.FAILED: "danger",
    AttemptOutcome.TIMEOUT: "danger",
    AttemptOutcome.LOST: "warning",
}


class AttemptColumnsMixin:
    """Columns shared by the inline and the list."""

    @display(description="outcome", label=OUTCOME_COLORS)  # type: ignore[untyped-decorator]
    def shown_outcome(self, attempt: JobAttempt) -> tuple[str, str]:
        """Return the outcome as a coloured label."""
        return attempt.outcome, attempt.get_outcome_display()

    @admin.display(description="duration")
    def shown_duration(self, attempt: JobAttempt) -> str:
        """Return the duration in seconds."""
        return "-" if attempt.duration_s is None else f"{attempt.duration_s:.2f} s"

    @admin.display(description="error")
    def shown_error(self, attempt: JobAttempt) -> SafeString | str:
        """Return the error, with its traceback if it has one."""
        return error_text(attempt.error)


class JobAttemptInline(AttemptColumnsMixin, TabularInline):
    """The finished attempts of a job, read-only."""

    model = JobAttempt
    fields = ("number", "shown_outcome", "worker", "started_at", "shown_duration", "shown_error")
    readonly_fields = fields
    ordering = ("number",)
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: workers write attempts."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: workers write attempts."""
        return False


@admin.register(JobAttempt)
class JobAttemptAdmin(AttemptColumnsMixin, ReadOnlyAdmin):
    """The attempts of all jobs, newest first; ids are in the order of time."""

    list_display = ("job", "number", "shown_outcome", "worker", "started_at", "shown_duration")
    list_filter = ("outcome",)
    search_fields = ("=job__reference",)
    search_help_text = "A job's id, or its exact reference"
    list_select_related = ("job",)
    raw_id_fields = ("job",)
    ordering = ("-id",)
    fields = ("job", "number", "shown_outcome", "worker", "started_at", "finished_at", "shown_duration", "shown_error")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[JobAttempt], search_term: str
    ) -> tuple[QuerySet[JobAttempt], bool]:
        """Search by the job's id, falling back to `search_fields`."""
        try:
            return queryset.filter(job_id=decode_id(Job.ID_PREFIX, search_term.strip())), False
        except ValueError:
            found: tuple[QuerySet[JobAttempt], bool] = super().get_search_results(request, queryset, search_term)
            return found
