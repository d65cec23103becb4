"""What comes into inboxes, is read, and is thrown away."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models.functions import Now
from django.utils import timezone

from core.notices import Notice
from notifications.models import Notification
from notifications.models.inbox import BODY_LENGTH, TITLE_LENGTH
from notifications.selectors import wanted_channels
from notifications.services.letters import write_letter


def take_notice(notice: Notice) -> None:
    """Put a notice where its reader wants it, in the transaction of whoever gives it."""
    channels = wanted_channels(user_id=notice.user_id, kind=notice.kind)
    columns = notice_columns(notice)
    if channels.inbox:
        Notification.objects.create(**columns)
    if channels.email:
        write_letter(columns=columns)


def notice_columns(notice: Notice) -> dict[str, Any]:
    """Return a notice as rows keep it: a text that is too long is cut, as a long message is no reason to lose it."""
    return {
        "user_id": notice.user_id,
        "kind": notice.kind,
        # A title is one line, also in the subject of a letter.
        "title": cut(" ".join(_storable(notice.title).split()), TITLE_LENGTH),
        "body": cut(_storable(notice.body), BODY_LENGTH),
        "resource": notice.resource,
    }


def cut(text: str, length: int) -> str:
    """Return a text that fits, with an ellipsis where something is missing."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _storable(text: str) -> str:
    return text.replace("\x00", "")  # PostgreSQL keeps none


def mark_notification(*, notification: Notification, is_read: bool) -> Notification:
    """Note that an entry was read, or is to count as unread again. What was read stays read since when it was."""
    moment = timezone.now() if is_read else None
    row = Notification.objects.filter(pk=notification.pk, read_at__isnull=is_read)
    if row.update(read_at=moment):
        notification.read_at = moment
    else:
        notification.refresh_from_db(fields=["read_at"])
    return notification


def mark_all_read(*, user: Any, before: datetime | None = None, kind: str = "") -> int:
    """Note that a user has read everything, or everything of a kind, up to a moment; return how much that was."""
    rows = Notification.objects.for_owner(user).unread()
    if before is not None:
        rows = rows.filter(created_at__lt=before)
    if kind:
        rows = rows.filter(kind=kind)
    return rows.update(read_at=Now())
