"""Admin of workers: liveness and load."""

from __future__ import annotations

from django.contrib import admin
from unfold.decorators import display

from core.admin import ReadOnlyAdmin
from jobs.models import Worker


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    """The `run_worker` processes of the last day."""

    list_display = ("name", "alive", "hostname", "pid", "shown_load", "shown_queues", "started_at", "last_seen_at")
    list_filter = ("hostname",)
    search_fields = ("name", "hostname")
    date_hierarchy = "started_at"
    ordering = ("-last_seen_at",)
    fields = (
        "name",
        "alive",
        "hostname",
        "pid",
        "shown_load",
        "shown_queues",
        "started_at",
        "last_seen_at",
        "stopped_at",
    )

    @display(boolean=True)  # type: ignore[untyped-decorator]
    def alive(self, worker: Worker) -> bool:
        """Return whether its heartbeat is recent."""
        return worker.is_alive

    @admin.display(description="busy")
    def shown_load(self, worker: Worker) -> str:
        """Return busy slots out of all slots."""
        return f"{worker.busy}/{worker.concurrency}"

    @admin.display(description="queues")
    def shown_queues(self, worker: Worker) -> str:
        """Return the queues it serves."""
        return ", ".join(worker.queues)
