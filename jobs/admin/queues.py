"""Admin of queues: depth, limits, pause and resume."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.decorators import display

from core.admin import AuditedForms, ReadOnlyAdmin, audited
from jobs import services
from jobs.models import KeyLimit, QueueState
from jobs.selectors import QueueDepth, queue_depths


@admin.register(QueueState)
class QueueStateAdmin(AuditedForms, ModelAdmin):
    """One row for each queue that a worker has served or staff have added."""

    list_display = ("name", "shown_state", "ready", "running", "blocked", "scheduled", "oldest", "max_running")
    list_filter = ("paused",)
    search_fields = ("name",)
    ordering = ("name",)
    fields = ("name", "max_running", "paused", "paused_at", "created_at")
    actions = ("pause_queues", "resume_queues")

    def get_queryset(self, request: HttpRequest) -> QuerySet[QueueState]:
        """Read the depths of all queues once for the page."""
        self._depths: dict[str, QueueDepth] = {depth.queue: depth for depth in queue_depths()}
        rows: QuerySet[QueueState] = super().get_queryset(request)
        return rows

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Make all but the limit read-only; the name can be set on creation."""
        fixed = ("paused", "paused_at", "created_at")
        return fixed if obj is None else ("name", *fixed)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False, as deleting the row of a paused queue would resume it."""
        return False

    def save_model(self, request: HttpRequest, obj: QueueState, form: forms.ModelForm, change: bool) -> None:  # type: ignore[type-arg]
        """Save the limit through the service."""
        services.set_queue_limit(name=obj.name, max_running=obj.max_running)
        # The admin log needs the primary key, which the service has set.
        obj.pk = QueueState.objects.values_list("pk", flat=True).get(name=obj.name)

    @display(description="state", label={"open": "success", "paused": "warning"})  # type: ignore[untyped-decorator]
    def shown_state(self, queue: QueueState) -> str:
        """Return `open` or `paused`."""
        return "paused" if queue.paused else "open"

    @admin.display()
    def ready(self, queue: QueueState) -> int:
        """Return how many jobs are queued."""
        return self._depth_of(queue).ready

    @admin.display()
    def running(self, queue: QueueState) -> int:
        """Return how many jobs are running."""
        return self._depth_of(queue).running

    @admin.display()
    def blocked(self, queue: QueueState) -> int:
        """Return how many due jobs are blocked by the limit of their key."""
        return self._depth_of(queue).blocked

    @admin.display()
    def scheduled(self, queue: QueueState) -> int:
        """Return how many jobs are due later."""
        return self._depth_of(queue).scheduled

    @admin.display(description="oldest wait")
    def oldest(self, queue: QueueState) -> str:
        """Return how long the oldest queued job has been due."""
        since = self._depth_of(queue).oldest_ready_at
        return "-" if since is None else f"{max((timezone.now() - since).total_seconds(), 0):.0f} s"

    def _depth_of(self, queue: QueueState) -> QueueDepth:
        return self._depths.get(queue.name) or QueueDepth(queue.name, 0, 0, 0, 0, None)

    def has_pause_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may pause and resume queues."""
        return request.user.has_perm("jobs.pause_queue")

    @admin.action(description="Pause queues", permissions=["pause"])
    def pause_queues(self, request: HttpRequest, queryset: QuerySet[QueueState]) -> None:
        """Stop claims from the selected queues; running jobs continue."""
        names = list(queryset.values_list("name", flat=True))
        for name in names:
            with audited(request, "queue.paused", name):
                services.pause_queue(name=name)
        self.message_user(request, f"{len(names)} paused; running jobs continue.", messages.SUCCESS)

    @admin.action(description="Resume queues", permissions=["pause"])
    def resume_queues(self, request: HttpRequest, queryset: QuerySet[QueueState]) -> None:
        """Allow claims from the selected queues again."""
        names = list(queryset.values_list("name", flat=True))
        for name in names:
            with audited(request, "queue.resumed", name):
                services.resume_queue(name=name)
        self.message_user(request, f"{len(names)} resumed.", messages.SUCCESS)


@admin.register(KeyLimit)
class KeyLimitAdmin(ReadOnlyAdmin):
    """Limits that override those of the jobs, set by the apps that own the keys."""

    list_display = ("limit_key", "limit_running", "created_at")
    search_fields = ("=limit_key",)
    list_filter = ("limit_running",)
    date_hierarchy = "created_at"
    ordering = ("limit_key",)
