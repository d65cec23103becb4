"""Notification preferences of users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from notifications.models import NotificationPreference


@transaction.atomic
def change_preferences(*, user: Any, changes: Mapping[str, Mapping[str, bool | None]]) -> None:
    """Apply changes of kind -> channel -> True, False or None for the default."""
    for kind in sorted(changes):
        if changes[kind]:
            NotificationPreference.objects.update_or_create(user=user, kind=kind, defaults=dict(changes[kind]))
