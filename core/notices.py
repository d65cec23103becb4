"""Tell a user something: the contract between the apps that have something to say and the one that keeps inboxes.

Any app registers the kinds of notice that it sends, in `AppConfig.ready()`, and calls `notify`. The app that keeps the
inboxes registers itself as the notifier. Neither has to import the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction


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

_kinds: dict[str, NoticeKind] = {}
_notifiers: list[Notifier] = []


def register_kind(kind: NoticeKind) -> None:
    """Make a kind of notice known.

    Raises ValueError if another kind has its name.
    """
    if _kinds.get(kind.name, kind) != kind:
        raise ValueError(f"two kinds of notice are named {kind.name!r}")
    _kinds[kind.name] = kind


def unregister_kind(name: str) -> None:
    """Forget a kind; for tests."""
    _kinds.pop(name, None)


def find_kind(name: str) -> NoticeKind | None:
    """Return a kind, or None where nobody registered it."""
    return _kinds.get(name)


def known_kinds() -> list[NoticeKind]:
    """Return all kinds, by name."""
    return [_kinds[name] for name in sorted(_kinds)]


def register_notifier(notifier: Notifier) -> None:
    """Have `notifier` called for every notice, in the transaction of whoever gives it."""
    if notifier not in _notifiers:
        _notifiers.append(notifier)


def unregister_notifier(notifier: Notifier) -> None:
    """Stop calling `notifier`; for tests."""
    _notifiers.remove(notifier)


def notify(*, user_id: UUID, kind: str, title: str, body: str = "", resource: str = "") -> None:
    """Tell a user something, in the open transaction: the notice exists if and only if that commits.

    Raises ValueError for a kind that nobody registered; RuntimeError outside a transaction, or where nobody takes
    notices.
    """
    if kind not in _kinds:
        raise ValueError(f"no kind of notice is named {kind!r}")
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("a notice was given outside a transaction")
    if not _notifiers:
        raise RuntimeError("nobody takes notices")
    notice = Notice(user_id=user_id, kind=kind, title=title, body=body, resource=resource)
    for notifier in _notifiers:
        notifier(notice)
