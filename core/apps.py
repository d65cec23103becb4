"""Registrations of the core app."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    """What every app may use."""

    name = "core"
    verbose_name = "Core"

    def ready(self) -> None:
        """Register the system checks, the triggers and what the versions differ in."""
        from core import checks  # noqa: F401 - registering needs the app registry
        from core.api.features import Feature, register_feature
        from core.idempotency.services import RETENTION
        from core.retention import register_retention
        from core.triggers.signals import follow_migrations

        follow_migrations(self)
        register_retention(RETENTION)
        register_feature(Feature("page_pagination", "Lists by page, with totals.", until=1, is_fixed=True))
        register_feature(Feature("cursor_pagination", "Lists by cursor, without a count.", since=2, is_fixed=True))
