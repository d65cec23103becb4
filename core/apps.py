"""App configuration of core."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules

# Modules of any app, which register values when they are imported.
REGISTERING_MODULES = ("checks", "features", "notification_kinds", "retention", "subscribers", "tasks")


class CoreConfig(AppConfig):
    """The core app."""

    name = "core"
    verbose_name = "Core"
    staff_scopes = ("admin:*",)

    def ready(self) -> None:
        """Connect the migration signals, and import the registering modules of every app."""
        from core.triggers.signals import connect_migration_signals

        connect_migration_signals(self)
        autodiscover_modules(*REGISTERING_MODULES)
