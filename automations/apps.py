"""Registrations of the automations app."""

from django.apps import AppConfig


class AutomationsConfig(AppConfig):
    """See the package's docstring."""

    name = "automations"

    def ready(self) -> None:
        """Listen to what can set automations off, and register kinds of notice, jobs and the clock."""
        from automations import names, subscribers, tasks
        from automations.kinds import KINDS
        from automations.retention import RETENTION
        from core.notices import register_kind
        from core.retention import register_retention
        from jobs.registry import Handler, IoSteps, io_handler, register, register_schedule

        for kind in KINDS:
            register_kind(kind)
        subscribers.connect()
        register(
            Handler(
                names.RUN_JOB,
                tasks.run_automation,
                on_dead=tasks.give_up_run,
                on_cancelled=tasks.drop_run,
                max_attempts=3,
                timeout_s=tasks.RUN_LIMIT_S,
            )
        )
        # Among the I/O jobs, which no render keeps waiting for a free slot.
        tick = IoSteps(load=tasks.load_tick, perform=int, settle=tasks.end_tick)
        register(io_handler(names.TICK_JOB, tick, queue=names.TICK_QUEUE, max_attempts=1, timeout_s=60))
        register_schedule(names.TICK_JOB, cron="* * * * *", type=names.TICK_JOB)
        register_retention(RETENTION)
