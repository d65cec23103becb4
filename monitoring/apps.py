"""Registrations of the monitoring app."""

from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    """See the package's docstring."""

    name = "monitoring"

    def ready(self) -> None:
        """Register the jobs: this layer knows both the accounts and the queue, which do not know each other."""
        from jobs.registry import Handler, register, register_schedule
        from monitoring import tasks

        register(Handler(tasks.ANNOUNCE_JOB, tasks.announce_deprecations, timeout_s=900))
        # Every hour, so that a first call is told of on the same day; the dates count in days.
        register_schedule("deprecation-notices", cron="7 * * * *", type=tasks.ANNOUNCE_JOB)
