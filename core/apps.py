"""Registrations of the core app."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    """What every app may use."""

    name = "core"
    verbose_name = "Core"

    def ready(self) -> None:
        """Register the system checks and what the versions differ in."""
        from core import checks  # noqa: F401 - registering needs the app registry
        from core.api.features import Feature, register_feature

        register_feature(Feature("page_pagination", "Lists by page, with totals.", until=1, is_fixed=True))
        register_feature(Feature("cursor_pagination", "Lists by cursor, without a count.", since=2, is_fixed=True))
