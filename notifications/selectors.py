"""Reads that several callers want."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from accounts.models import User
from core.notices import NoticeKind, notice_kinds
from notifications.models import Broadcast, Preference


@dataclass(frozen=True, slots=True)
class Channels:
    """Where a user wants notices of a kind."""

    inbox: bool
    email: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """A kind of notice and where a user wants it. is_default: nothing was chosen."""

    kind: str
    summary: str
    inbox: bool
    email: bool
    is_default: bool


def wanted_channels(*, user_id: UUID, kind: str) -> Channels:
    """Return where a user wants notices of a kind; a kind that nobody registered goes to the inbox."""
    known = notice_kinds.get(kind) or NoticeKind(kind, kind)
    chosen = Preference.objects.filter(user_id=user_id, kind=kind).first()
    return _channels(known, chosen)


def choices_of(user: Any) -> list[Choice]:
    """Return where a user wants notices of each kind."""
    chosen = {preference.kind: preference for preference in Preference.objects.filter(user=user)}
    choices = []
    for kind in notice_kinds.by_name():
        preference = chosen.get(kind.name)
        channels = _channels(kind, preference)
        is_default = preference is None or (preference.inbox is None and preference.email is None)
        choices.append(Choice(kind.name, kind.summary, channels.inbox, channels.email, is_default))
    return choices


def _channels(kind: NoticeKind, chosen: Preference | None) -> Channels:
    inbox = kind.inbox if chosen is None or chosen.inbox is None else chosen.inbox
    email = kind.email if chosen is None or chosen.email is None else chosen.email
    return Channels(inbox, email)


def audience_of(broadcast: Broadcast) -> Any:
    """Return the users that a broadcast is for: accounts that work, in the order of their ids."""
    users = User.objects.filter(is_active=True, is_suspended=False)
    if broadcast.plan:
        users = users.filter(plan=broadcast.plan)
    if broadcast.usernames:
        users = users.filter(username__in=broadcast.usernames)
    return users.order_by("pk")
