"""Registrations of the core app."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules

# What every app may have, and what such a module registers as it is imported.
REGISTERING_MODULES = ("checks", "features", "notification_kinds", "retention", "subscribers", "tasks")


class CoreConfig(AppConfig):
    """What every app may use."""

    name = "core"
    verbose_name = "Core"
    staff_scopes = ("admin:*",)

    def ready(self) -> None:
        """Follow migrations with triggers, and have every app register what it has."""
        from core.triggers.signals import connect_migration_signals

        connect_migration_signals(self)
        autodiscover_modules(*REGISTERING_MODULES)
