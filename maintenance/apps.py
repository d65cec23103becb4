"""Registrations of the maintenance app."""

from django.apps import AppConfig


class MaintenanceConfig(AppConfig):
    """See the package's docstring."""

    name = "maintenance"

    def ready(self) -> None:
        """Register the daily jobs, and what keeps the ballast in place."""
        from jobs.registry import Ticker, register, register_schedule, register_ticker
        from maintenance import ballast
        from maintenance.tasks import DAILY

        for daily in DAILY:
            register(daily.handler)
            register_schedule(daily.handler.name, cron=daily.cron, type=daily.handler.name)
        register_ticker(Ticker("ballast", lambda worker: ballast.lay_ballast(), every_s=lambda: ballast.LOOK_EVERY_S))
