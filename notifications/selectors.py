"""Selectors of preferences and broadcast recipients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from accounts.models import User
from core.notifications import NotificationKind, notification_kinds
from notifications.models import Broadcast, NotificationPreference


@dataclass(frozen=True, slots=True)
class NotificationChannels:
    """The channels on which a user wants a kind of notification."""

    inbox: bool
    email: bool


@dataclass(frozen=True, slots=True)
class KindPreference:
    """A kind of notification and its channels. is_default: the user has not chosen any."""

    kind: str
    summary: str
    inbox: bool
    email: bool
    is_default: bool


def channels_for(*, user_id: UUID, kind: str) -> NotificationChannels:
    """Return the channels of a kind for a user; an unregistered kind goes to the inbox only."""
    known = notification_kinds.get(kind) or NotificationKind(kind, kind)
    chosen = NotificationPreference.objects.filter(user_id=user_id, kind=kind).first()
    return _channels(known, chosen)


def preferences_of(user: Any) -> list[KindPreference]:
    """Return the channels of every registered kind for a user."""
    chosen = {preference.kind: preference for preference in NotificationPreference.objects.filter(user=user)}
    preferences = []
    for kind in notification_kinds.by_name():
        preference = chosen.get(kind.name)
        channels = _channels(kind, preference)
        is_default = preference is None or (preference.inbox is None and preference.email is None)
        preferences.append(KindPreference(kind.name, kind.summary, channels.inbox, channels.email, is_default))
    return preferences


def _channels(kind: NotificationKind, chosen: NotificationPreference | None) -> NotificationChannels:
    inbox = kind.inbox if chosen is None or chosen.inbox is None else chosen.inbox
    email = kind.email if chosen is None or chosen.email is None else chosen.email
    return NotificationChannels(inbox, email)


def recipients_of(broadcast: Broadcast) -> Any:
    """Return the recipients of a broadcast: active, unsuspended accounts, ordered by id."""
    users = User.objects.filter(is_active=True, is_suspended=False)
    if broadcast.plan:
        users = users.filter(plan=broadcast.plan)
    if broadcast.usernames:
        users = users.filter(username__in=broadcast.usernames)
    return users.order_by("pk")
