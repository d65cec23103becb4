"""Registrations of the renders app."""

from django.apps import AppConfig
from django.conf import settings

from core import events


class RendersConfig(AppConfig):
    """See the package's docstring."""

    name = "renders"

    def ready(self) -> None:
        """Register the job handlers, the upkeep and what the versions differ in; listen to accounts."""
        from accounts.events import PlanChanged
        from core.api.features import Feature, register_feature
        from jobs.registry import Handler, register, register_schedule
        from renders import names, tasks
        from renders.subscribers import apply_new_plan

        register(
            Handler(
                names.RENDER_JOB,
                tasks.render,
                on_dead=tasks.fail_dead_render,
                on_cancelled=tasks.cancel_render_of,
                queue=names.RENDER_QUEUE,
                max_attempts=3,
                timeout_s=settings.RENDEROWL_RENDER_TIMEOUT_S,
            )
        )
        register(Handler(names.DISCARD_JOB, tasks.discard, timeout_s=300))
        register(Handler(names.UPKEEP_JOB, tasks.keep_up, max_attempts=1, timeout_s=300))
        events.subscribe(PlanChanged, apply_new_plan)
        register_schedule("renders-upkeep", cron="*/5 * * * *", type=names.UPKEEP_JOB)
        register_feature(Feature("progress_object", "The progress of a render in detail.", since=2, is_fixed=True))
        # Off until there is something behind it: version 1 never has it, version 2 says that it is not here yet.
        register_feature(Feature("long_poll", "Wait for a change with ?wait=.", since=2, enabled=False))
