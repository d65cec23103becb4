"""Registrations of the jobs app."""

from django.apps import AppConfig
from django.db import connection


class JobsConfig(AppConfig):
    """See the package's docstring."""

    name = "jobs"

    def ready(self) -> None:
        """Register the job that deletes old rows, of all apps, and how long the queue's own are kept."""
        from core.retention import register_retention
        from jobs import tasks  # needs the app registry
        from jobs.registry import Handler, register, register_schedule
        from jobs.retention import RETENTIONS

        register(
            Handler(
                name="core.delete_old_rows", run=tasks.delete_old_rows, queue=tasks.MAINTENANCE_QUEUE, timeout_s=3600
            )
        )
        register(Handler(name="core.fold_tags", run=tasks.fold_cache_bumps, queue=tasks.MAINTENANCE_QUEUE))
        register_schedule("core.delete_old_rows", cron="37 * * * *", type="core.delete_old_rows")
        if connection.vendor == "postgresql":
            # Elsewhere there is nothing to add.
            register_schedule("core.fold_tags", cron="* * * * *", type="core.fold_tags")
        for retention in RETENTIONS:
            register_retention(retention)
