"""Reads that several callers want."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from accounts.models import User
from core.notifications import NotificationKind, notification_kinds
from notifications.models import Broadcast, NotificationPreference


@dataclass(frozen=True, slots=True)
class NotificationChannels:
    """Where a user wants notifications of a kind."""

    inbox: bool
    email: bool


@dataclass(frozen=True, slots=True)
class KindPreference:
    """A kind of notification and where a user wants it. is_default: nothing was chosen."""

    kind: str
    summary: str
    inbox: bool
    email: bool
    is_default: bool


def channels_for(*, user_id: UUID, kind: str) -> NotificationChannels:
    """Return where a user wants notifications of a kind; a kind that nobody registered goes to the inbox."""
    known = notification_kinds.get(kind) or NotificationKind(kind, kind)
    chosen = NotificationPreference.objects.filter(user_id=user_id, kind=kind).first()
    return _channels(known, chosen)


def preferences_of(user: Any) -> list[KindPreference]:
    """Return where a user wants notifications of each kind."""
    chosen = {preference.kind: preference for preference in NotificationPreference.objects.filter(user=user)}
    choices = []
    for kind in notification_kinds.by_name():
        preference = chosen.get(kind.name)
        channels = _channels(kind, preference)
        is_default = preference is None or (preference.inbox is None and preference.email is None)
        choices.append(KindPreference(kind.name, kind.summary, channels.inbox, channels.email, is_default))
    return choices


def _channels(kind: NotificationKind, chosen: NotificationPreference | None) -> NotificationChannels:
    inbox = kind.inbox if chosen is None or chosen.inbox is None else chosen.inbox
    email = kind.email if chosen is None or chosen.email is None else chosen.email
    return NotificationChannels(inbox, email)


def recipients_of(broadcast: Broadcast) -> Any:
    """Return the users that a broadcast is for: accounts that work, in the order of their ids."""
    users = User.objects.filter(is_active=True, is_suspended=False)
    if broadcast.plan:
        users = users.filter(plan=broadcast.plan)
    if broadcast.usernames:
        users = users.filter(username__in=broadcast.usernames)
    return users.order_by("pk")
