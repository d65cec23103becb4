"""Registrations of the assets app."""

from django.apps import AppConfig


class AssetsConfig(AppConfig):
    """See the package's docstring."""

    name = "assets"

    def ready(self) -> None:
        """Register the jobs, and whose answers show what."""
        from assets import names, tasks
        from assets.models import Asset, AssetHold
        from core.caching.families import register_family
        from jobs.registry import Handler, register, register_schedule

        register(
            Handler(
                names.IMPORT_JOB,
                tasks.run_import,
                on_dead=tasks.give_up_import,
                max_attempts=tasks.IMPORT_ATTEMPTS,
                timeout_s=tasks.IMPORT_LIMIT_S,
                retry_delays_s=tasks.IMPORT_RETRY_S,
            )
        )
        register_family("assets", Asset, owner="owner_id")
        register_family("assets", AssetHold, owner="asset_id", through=Asset)
        register(Handler(names.REMOVE_FILES_JOB, tasks.run_remove_files))
        register(Handler(names.UPKEEP_JOB, tasks.run_upkeep))
        register_schedule(names.UPKEEP_JOB, cron="17 * * * *", type=names.UPKEEP_JOB)
