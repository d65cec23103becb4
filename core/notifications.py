"""Notifications of users: the interface between the apps that send them and the one that stores them.

Any app registers the kinds of notification that it sends, in its `notification_kinds.py`, and calls `notify`. The app
that stores the inboxes registers itself as the notifier. Neither has to import the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from core.registry import Registry, identity


@dataclass(frozen=True, slots=True)
class NotificationKind:
    """A kind of notification. inbox, email: whether it is delivered there by default.

    name: dotted, as in `render.failed`; a part of the API, never renamed. summary: a phrase for lists of preferences.
    """

    name: str
    summary: str
    inbox: bool = True
    email: bool = False


@dataclass(frozen=True, slots=True)
class NotificationRequest:
    """A notification for one user. resource: the public id of its subject, or empty."""

    user_id: UUID
    kind: str
    title: str
    body: str = ""
    resource: str = ""


Notifier = Callable[[NotificationRequest], None]

notification_kinds = Registry[str, NotificationKind]("notification kind")
# Each is called for every notification, in the caller's transaction.
notifiers = Registry[Notifier, Notifier]("notifier", key=identity)


def notify(*, user_id: UUID, kind: str, title: str, body: str = "", resource: str = "") -> None:
    """Notify a user, in the open transaction: the notification exists if and only if that commits.

    Raises ValueError for an unregistered kind; RuntimeError outside a transaction, or without a notifier.
    """
    if kind not in notification_kinds:
        raise ValueError(f"no kind of notification is named {kind!r}")
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("notify was called outside a transaction")
    if not notifiers:
        raise RuntimeError("no notifier is registered")
    notification = NotificationRequest(user_id=user_id, kind=kind, title=title, body=body, resource=resource)
    for notifier in list(notifiers):
        notifier(notification)
