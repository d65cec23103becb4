"""Signal handlers that drop triggers before a migration and install them after it."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate, pre_migrate

from core.triggers.definitions import TAGS_PREFIX
from core.triggers.install import drop_triggers, install_triggers


def connect_migration_signals(config: AppConfig) -> None:
    """Connect the handlers. config: the app whose signals stand for those of all apps."""
    pre_migrate.connect(_before, sender=config, dispatch_uid="core.triggers.before")
    post_migrate.connect(_after, sender=config, dispatch_uid="core.triggers.after")


def _before(*, using: str, plan: Any = (), **kwargs: Any) -> None:
    if any(is_backwards for _, is_backwards in plan):
        # A trigger must not name a column that is dropped.
        drop_triggers(using)
    elif plan and connections[using].vendor == "sqlite":
        # Their SQL names other tables, which SQLite refuses to replace while a trigger refers to them.
        drop_triggers(using, prefix=TAGS_PREFIX)


def _after(*, using: str, **kwargs: Any) -> None:
    install_triggers(using)
