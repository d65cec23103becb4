"""Registrations of the analytics app."""

from django.apps import AppConfig


class AnalyticsConfig(AppConfig):
    """See the package's docstring."""

    name = "analytics"

    def ready(self) -> None:
        """Listen to the apps below, register the job, how long rows are kept, and the charts."""
        from analytics import charts, names, subscribers, tasks
        from analytics.retention import RETENTIONS
        from core.retention import register_retention
        from jobs.registry import Handler, register, register_schedule

        subscribers.connect()
        register(Handler(names.COUNT_JOB, tasks.count, queue=tasks.QUEUE, max_attempts=1, timeout_s=600))
        # Answers add what is not counted yet, so that this bounds their cost, not their truth.
        charts.register_panels(charts.VIEW_PERMISSION, charts.product_panels)
        register_schedule("analytics-count", cron="*/5 * * * *", type=names.COUNT_JOB)
        for retention in RETENTIONS:
            register_retention(retention)
