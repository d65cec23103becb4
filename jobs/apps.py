"""Registrations of the jobs app."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """See the package's docstring."""

    name = "jobs"

    def ready(self) -> None:
        """Register the queue's own jobs, those of core, which cannot see the queue, and when they run."""
        from jobs import tasks  # needs the app registry
        from jobs.registry import Handler, register, register_schedule

        register(Handler(name="jobs.purge_finished", run=tasks.purge_finished_jobs, queue=tasks.MAINTENANCE_QUEUE))
        register(Handler(name="jobs.forget_workers", run=tasks.forget_workers, queue=tasks.MAINTENANCE_QUEUE))
        register(Handler(name="core.forget_keys", run=tasks.forget_idempotency_keys, queue=tasks.MAINTENANCE_QUEUE))
        register_schedule("jobs.purge_finished", cron="17 3 * * *", type="jobs.purge_finished")
        register_schedule("jobs.forget_workers", cron="47 * * * *", type="jobs.forget_workers")
        register_schedule("core.forget_keys", cron="37 * * * *", type="core.forget_keys")
