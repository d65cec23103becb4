"""Keep the triggers in step with the migrations."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate, pre_migrate

from core.triggers.definitions import TAGS_PREFIX
from core.triggers.install import drop_triggers, install_triggers


def connect_migration_signals(config: AppConfig) -> None:
    """Have the triggers looked after at every `migrate`. config: the app whose signals stand for those of all."""
    pre_migrate.connect(_before, sender=config, dispatch_uid="core.triggers.before")
    post_migrate.connect(_after, sender=config, dispatch_uid="core.triggers.after")


def _before(*, using: str, plan: Any = (), **kwargs: Any) -> None:
    if any(is_backwards for _, is_backwards in plan):
        # A column that goes must not be named by a trigger.
        drop_triggers(using)
    elif plan and connections[using].vendor == "sqlite":
        # They name tables besides their own, which SQLite refuses to make anew under them.
        drop_triggers(using, prefix=TAGS_PREFIX)


def _after(*, using: str, **kwargs: Any) -> None:
    install_triggers(using)
