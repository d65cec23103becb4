"""Tell a user something: the contract between the apps that have something to say and the one that keeps inboxes.

Any app registers the kinds of notice that it sends, in its `kinds.py`, and calls `notify`. The app that keeps the
inboxes registers itself as the notifier. Neither has to import the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from core.registry import Registry, itself


@dataclass(frozen=True, slots=True)
class NoticeKind:
    """What a notice is about. inbox, email: whether it goes there unless its reader chose otherwise.

    name: dotted, as in `render.failed`; a part of the API, never renamed. summary: a phrase for lists of choices.
    """

    name: str
    summary: str
    inbox: bool = True
    email: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """What one user is told. resource: the public id of what it is about, or empty."""

    user_id: UUID
    kind: str
    title: str
    body: str = ""
    resource: str = ""


Notifier = Callable[[Notice], None]

notice_kinds = Registry[str, NoticeKind]("notice kind")
# Each is called for every notice, in the transaction of the caller.
notifiers = Registry[Notifier, Notifier]("notifier", key=itself)


def notify(*, user_id: UUID, kind: str, title: str, body: str = "", resource: str = "") -> None:
    """Tell a user something, in the open transaction: the notice exists if and only if that commits.

    Raises ValueError for a kind that nobody registered; RuntimeError outside a transaction, or where nobody takes
    notices.
    """
    if kind not in notice_kinds:
        raise ValueError(f"no kind of notice is named {kind!r}")
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("a notice was given outside a transaction")
    if not notifiers:
        raise RuntimeError("nobody takes notices")
    notice = Notice(user_id=user_id, kind=kind, title=title, body=body, resource=resource)
    for notifier in list(notifiers):
        notifier(notice)
