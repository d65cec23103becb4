"""Registrations of the notifications app."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """See the package's docstring."""

    name = "notifications"

    def ready(self) -> None:
        """Take notices, listen to what is worth one, and register the jobs."""
        from core.notices import register_kind, register_notifier
        from core.retention import register_retention
        from jobs.registry import Handler, io_handler, register, register_schedule
        from notifications import names, tasks
        from notifications.kinds import KINDS
        from notifications.retention import RETENTIONS
        from notifications.services.inbox import take_notice
        from notifications.subscribers import inbox, webhooks

        for kind in KINDS:
            register_kind(kind)
        register_notifier(take_notice)
        for retention in RETENTIONS:
            register_retention(retention)
        inbox.connect()
        webhooks.connect()
        register(
            Handler(
                names.EMAIL_JOB,
                tasks.send_email,
                on_dead=tasks.give_up_email,
                timeout_s=tasks.EMAIL_LIMIT_S,
                retry_delays_s=tasks.EMAIL_RETRY_S,
            )
        )
        register(Handler(names.BROADCAST_JOB, tasks.broadcast, timeout_s=3600))
        register(Handler(names.UPKEEP_JOB, tasks.keep_up, max_attempts=1, timeout_s=300))
        register(
            io_handler(
                names.DELIVER_JOB,
                tasks.DELIVERY,
                on_dead=tasks.give_up_delivery,
                on_cancelled=tasks.cancel_delivery,
                queue=names.DELIVER_QUEUE,
                more_queues=(names.SLOW_QUEUE,),
                timeout_s=tasks.DELIVERY_LIMIT_S,
            )
        )
        register(Handler(names.REPLAY_JOB, tasks.replay))
        register_schedule(names.UPKEEP_JOB, cron="*/5 * * * *", type=names.UPKEEP_JOB)
