"""Admin of jobs: list, search, detail, retry and cancel."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.decorators import display

from core.admin import ReadOnlyAdmin, pretty_json
from core.exceptions import DomainError
from core.ids import decode_id
from jobs import services
from jobs.admin.attempts import JobAttemptInline
from jobs.admin.errors import error_text
from jobs.admin.filters import QueueFilter, StatusFilter, TypeFilter
from jobs.models import Job
from jobs.states import JobStatus

STATUS_COLORS: dict[str, str] = {
    JobStatus.RUNNING: "info",
    JobStatus.SUCCEEDED: "success",
    JobStatus.BLOCKED: "warning",
    JobStatus.DEAD: "danger",
    JobStatus.CANCELLED: "warning",
}


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    """Jobs are read-only, except that staff can retry dead ones and cancel others."""

    list_display = (
        "public_id",
        "type",
        "shown_status",
        "queue",
        "priority",
        "shown_attempts",
        "reference",
        "user",
        "created_at",
        "scheduled_at",
        "finished_at",
    )
    list_filter = (StatusFilter, TypeFilter, QueueFilter, "priority", "created_at")
    search_fields = ("=reference", "=unique_key", "user__username")
    search_help_text = "A job's id, exact reference or unique key, or its user's name"
    list_select_related = ("user",)
    raw_id_fields = ("user",)
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    inlines = (JobAttemptInline,)
    actions = ("retry_jobs", "cancel_jobs")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "public_id",
                    "type",
                    "status",
                    "queue",
                    "priority",
                    "user",
                    "reference",
                    "limit_key",
                    "limit_running",
                )
            },
        ),
        (
            "Attempts",
            {"fields": ("attempts", "failures", "lost", "max_attempts", "timeout_s", "worker", "lease_expires_at")},
        ),
        (
            "Times",
            {"fields": ("created_at", "scheduled_at", "queued_at", "started_at", "finished_at", "cancel_requested_at")},
        ),
        ("Data", {"fields": ("shown_payload", "shown_result", "shown_error", "unique_key")}),
        ("Origin", {"fields": ("request_id", "traceparent")}),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Job], search_term: str
    ) -> tuple[QuerySet[Job], bool]:
        """Search by the job's id, falling back to `search_fields`."""
        try:
            return queryset.filter(pk=decode_id(Job.ID_PREFIX, search_term.strip())), False
        except ValueError:
            found: tuple[QuerySet[Job], bool] = super().get_search_results(request, queryset, search_term)
            return found

    @admin.display(description="id")
    def public_id(self, job: Job) -> str:
        """Return the prefixed id, as in logs."""
        return job.public_id

    @display(description="status", label=STATUS_COLORS)  # type: ignore[untyped-decorator]
    def shown_status(self, job: Job) -> tuple[str, str]:
        """Return the status as a coloured label; a running job may be "Cancelling"."""
        if job.status == JobStatus.RUNNING and job.cancel_requested_at:
            return job.status, "Cancelling"
        return job.status, job.get_status_display()

    @admin.display(description="failed")
    def shown_attempts(self, job: Job) -> str:
        """Return failures out of `max_attempts`, and lost workers if there were any."""
        return f"{job.failures}/{job.max_attempts}" + (f" +{job.lost} lost" if job.lost else "")

    @admin.display(description="payload")
    def shown_payload(self, job: Job) -> SafeString | str:
        """Return the payload as indented JSON."""
        return pretty_json(job.payload)

    @admin.display(description="result")
    def shown_result(self, job: Job) -> SafeString | str:
        """Return the result as indented JSON."""
        return pretty_json(job.result)

    @admin.display(description="last error")
    def shown_error(self, job: Job) -> SafeString | str:
        """Return the error of the last attempt."""
        return error_text(job.error)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may retry jobs."""
        return request.user.has_perm("jobs.retry_job")

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may cancel jobs."""
        return request.user.has_perm("jobs.cancel_job")

    @admin.action(description="Retry dead jobs", permissions=["retry"])
    def retry_jobs(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        """Requeue the selected dead jobs, and report the others as refused."""
        retried, refusals = 0, []
        for job_id in queryset.values_list("pk", flat=True):
            try:
                services.retry_job(job_id=job_id, actor=request.user)
                retried += 1
            except DomainError as error:
                refusals.append(error.detail)
        self._report(request, f"{retried} requeued.", refusals)

    @admin.action(description="Cancel jobs", permissions=["cancel"])
    def cancel_jobs(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        """Cancel the selected waiting jobs, and ask running ones to stop."""
        counts = {"cancelled": 0, "asked to stop": 0, "already finished": 0}
        for job_id, before in queryset.values_list("pk", "status"):
            job = services.cancel_job(job_id=job_id, actor=request.user)
            if job.status == JobStatus.RUNNING:
                counts["asked to stop"] += 1
            elif job.status == JobStatus.CANCELLED and before != JobStatus.CANCELLED:
                counts["cancelled"] += 1
            else:
                counts["already finished"] += 1
        self._report(request, ", ".join(f"{count} {label}" for label, count in counts.items()) + ".", [])

    def _report(self, request: HttpRequest, text: str, refusals: list[str]) -> None:
        self.message_user(request, text, messages.SUCCESS if not refusals else messages.INFO)
        for refusal in sorted(set(refusals)):
            self.message_user(request, f"{refusals.count(refusal)} refused: {refusal}", messages.WARNING)
