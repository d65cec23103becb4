"""Tell a user something: the contract between the apps that have something to say and the one that keeps inboxes.

Any app registers the kinds of notification that it sends, in its `notification_kinds.py`, and calls `notify`. The app
that keeps the inboxes registers itself as the notifier. Neither has to import the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from core.registry import Registry, identity


@dataclass(frozen=True, slots=True)
class NotificationKind:
    """What a notification is about. inbox, email: whether it goes there unless its reader chose otherwise.

    name: dotted, as in `render.failed`; a part of the API, never renamed. summary: a phrase for lists of choices.
    """

    name: str
    summary: str
    inbox: bool = True
    email: bool = False


@dataclass(frozen=True, slots=True)
class NotificationRequest:
    """What one user is told. resource: the public id of what it is about, or empty."""

    user_id: UUID
    kind: str
    title: str
    body: str = ""
    resource: str = ""


Notifier = Callable[[NotificationRequest], None]

notification_kinds = Registry[str, NotificationKind]("notification kind")
# Each is called for every notification, in the transaction of the caller.
notifiers = Registry[Notifier, Notifier]("notifier", key=identity)


def notify(*, user_id: UUID, kind: str, title: str, body: str = "", resource: str = "") -> None:
    """Tell a user something, in the open transaction: the notification exists if and only if that commits.

    Raises ValueError for a kind that nobody registered; RuntimeError outside a transaction, or where nobody takes
    notifications.
    """
    if kind not in notification_kinds:
        raise ValueError(f"no kind of notification is named {kind!r}")
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("a notification was given outside a transaction")
    if not notifiers:
        raise RuntimeError("nobody takes notifications")
    notification = NotificationRequest(user_id=user_id, kind=kind, title=title, body=body, resource=resource)
    for notifier in list(notifiers):
        notifier(notification)
