"""Registrations of the monitoring app."""

from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    """See the package's docstring."""

    name = "monitoring"

    def ready(self) -> None:
        """Register the jobs: this layer knows both the accounts and the queue, which do not know each other."""
        from core.retention import register_retention
        from jobs.registry import Handler, Ticker, io_handler, register, register_schedule, register_ticker
        from monitoring import checks, tasks  # noqa: F401 - the checks register themselves
        from monitoring.alerting import evaluating, leadership, outbox, sending
        from monitoring.alerting.measures import MEASURES, register_measure
        from monitoring.retention import RETENTIONS

        register(Handler(tasks.ANNOUNCE_JOB, tasks.announce_deprecations, timeout_s=900))
        register(Handler(tasks.SAMPLE_JOB, tasks.sample, queue=tasks.QUEUE, max_attempts=1, timeout_s=60))
        register(Handler(tasks.MERGE_JOB, tasks.merge, queue=tasks.QUEUE, max_attempts=1, timeout_s=1800))
        register(Handler(tasks.HEALTH_JOB, tasks.sample_health, queue=tasks.QUEUE, max_attempts=1, timeout_s=60))
        register_schedule(tasks.HEALTH_JOB, cron="* * * * *", type=tasks.HEALTH_JOB)
        register_schedule(tasks.SAMPLE_JOB, cron="* * * * *", type=tasks.SAMPLE_JOB)
        register_schedule(tasks.MERGE_JOB, cron="*/10 * * * *", type=tasks.MERGE_JOB)
        for measure in MEASURES:
            register_measure(measure)
        register(io_handler(outbox.SEND_JOB, sending.SENDING, queue=outbox.QUEUE, timeout_s=sending.SEND_LIMIT_S))
        register_ticker(Ticker("alerts", evaluating.tick, every_s=leadership.look_every_s))
        for retention in RETENTIONS:
            register_retention(retention)
        # Every hour, so that a first call is told of on the same day; the dates count in days.
        register_schedule("deprecation-notices", cron="7 * * * *", type=tasks.ANNOUNCE_JOB)
