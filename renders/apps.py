"""Registrations of the renders app."""

from django.apps import AppConfig
from django.conf import settings

from core import events


class RendersConfig(AppConfig):
    """See the package's docstring."""

    name = "renders"

    def ready(self) -> None:
        """Register the job handlers, the upkeep and what the versions differ in; listen to accounts; know projects."""
        from accounts.events import PlanChanged
        from assets.projects import register_project_check
        from core.api.features import Feature, register_feature
        from core.caching.families import register_family
        from core.retention import register_retention
        from jobs.registry import Handler, register, register_schedule
        from renders import names, tasks
        from renders.external.messages import RETENTION
        from renders.models import Project, Render, Template
        from renders.selectors import owns_project
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
        register(Handler(names.CANCEL_BATCH_JOB, tasks.cancel_batch, timeout_s=300))
        register(Handler(names.DISCARD_JOB, tasks.discard, timeout_s=300))
        register(Handler(names.PICTURES_JOB, tasks.make_missing_pictures, timeout_s=300))
        register(Handler(names.UPKEEP_JOB, tasks.keep_up, max_attempts=1, timeout_s=300))
        events.subscribe(PlanChanged, apply_new_plan)
        register_project_check(owns_project)
        register_retention(RETENTION)
        register_schedule("renders-upkeep", cron="*/5 * * * *", type=names.UPKEEP_JOB)
        register_family("projects", Project, owner="owner_id")
        register_family("templates", Template, owner="owner_id")
        register_family("renders", Render, owner="owner_id")
        register_feature(Feature("progress_object", "The progress of a render in detail.", since=2, is_fixed=True))
        register_feature(Feature("batches", "Many renders in one request.", since=2))
        register_feature(Feature("long_poll", "Wait for a change with ?wait= and Prefer: wait.", since=2))
        register_feature(Feature("render_events", "Follow a render as server-sent events.", since=2))
