"""Registrations of the core app."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    """What every app may use."""

    name = "core"
    verbose_name = "Core"

    def ready(self) -> None:
        """Register the system checks."""
        from core import checks  # noqa: F401 - registering needs the app registry
