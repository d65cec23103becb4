"""Queues: how much waits, and whether anybody may take it."""

from __future__ import annotations

from datetime import datetime
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
    """One row for each queue that a worker has served or staff have named."""

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
        """Only the limit is typed in; the name once, when the row is made."""
        fixed = ("paused", "paused_at", "created_at")
        return fixed if obj is None else ("name", *fixed)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: a paused queue must not open because its row went."""
        return False

    def save_model(self, request: HttpRequest, obj: QueueState, form: forms.ModelForm, change: bool) -> None:  # type: ignore[type-arg]
        """Set the limit."""
        services.set_queue_limit(name=obj.name, max_running=obj.max_running)
        # The log of the admin wants the row's key, which the service chose.
        obj.pk = QueueState.objects.values_list("pk", flat=True).get(name=obj.name)

    @display(description="state", label={"open": "success", "paused": "warning"})  # type: ignore[untyped-decorator]
    def shown_state(self, queue: QueueState) -> str:
        """Return whether workers may claim."""
        return "paused" if queue.paused else "open"

    @admin.display()
    def ready(self, queue: QueueState) -> int:
        """Return how many jobs could be claimed now."""
        depth = self._depths.get(queue.name)
        return depth.ready if depth else 0

    @admin.display()
    def running(self, queue: QueueState) -> int:
        """Return how many jobs run."""
        depth = self._depths.get(queue.name)
        return depth.running if depth else 0

    @admin.display()
    def blocked(self, queue: QueueState) -> int:
        """Return how many jobs are due but over the limit of their key."""
        depth = self._depths.get(queue.name)
        return depth.blocked if depth else 0

    @admin.display()
    def scheduled(self, queue: QueueState) -> int:
        """Return how many jobs are due later."""
        depth = self._depths.get(queue.name)
        return depth.scheduled if depth else 0

    @admin.display(description="oldest waits")
    def oldest(self, queue: QueueState) -> str:
        """Return for how long the oldest ready job has waited."""
        depth = self._depths.get(queue.name)
        since: datetime | None = depth.oldest_ready_at if depth else None
        return "-" if since is None else f"{max((timezone.now() - since).total_seconds(), 0):.0f} s"

    def has_pause_permission(self, request: HttpRequest) -> bool:
        """Return whether the actions show."""
        return request.user.has_perm("jobs.pause_queue")

    @admin.action(description="Pause queues", permissions=["pause"])
    def pause_queues(self, request: HttpRequest, queryset: QuerySet[QueueState]) -> None:
        """Let no worker claim from the chosen queues."""
        names = list(queryset.values_list("name", flat=True))
        for name in names:
            with audited(request, "queue.paused", name):
                services.pause_queue(name=name)
        self.message_user(request, f"{len(names)} paused; what runs goes on.", messages.SUCCESS)

    @admin.action(description="Resume queues", permissions=["pause"])
    def resume_queues(self, request: HttpRequest, queryset: QuerySet[QueueState]) -> None:
        """Let workers claim again."""
        names = list(queryset.values_list("name", flat=True))
        for name in names:
            with audited(request, "queue.resumed", name):
                services.resume_queue(name=name)
        self.message_user(request, f"{len(names)} resumed.", messages.SUCCESS)


@admin.register(KeyLimit)
class KeyLimitAdmin(ReadOnlyAdmin):
    """Limits that stand above those of the jobs themselves; the apps whose jobs they are set them."""

    list_display = ("limit_key", "limit_running", "created_at")
    search_fields = ("=limit_key",)
    list_filter = ("limit_running",)
    date_hierarchy = "created_at"
    ordering = ("limit_key",)
