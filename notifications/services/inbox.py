"""What comes into inboxes, is read, and is thrown away."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models.functions import Now
from django.utils import timezone

from core.notifications import NotificationRequest
from notifications.models import Notification
from notifications.models.inbox import BODY_LENGTH, TITLE_LENGTH
from notifications.selectors import channels_for
from notifications.services.outgoing_emails import queue_email


def deliver_notification(notification: NotificationRequest) -> None:
    """Put a notification where its reader wants it, in the transaction of whoever gives it."""
    channels = channels_for(user_id=notification.user_id, kind=notification.kind)
    columns = notification_columns(notification)
    if channels.inbox:
        Notification.objects.create(**columns)
    if channels.email:
        queue_email(columns=columns)


def notification_columns(notification: NotificationRequest) -> dict[str, Any]:
    """Return the columns of a notification; a text that is too long is truncated, not refused."""
    return {
        "user_id": notification.user_id,
        "kind": notification.kind,
        # A title is one line, also in the subject of an email.
        "title": truncate(" ".join(_storable(notification.title).split()), TITLE_LENGTH),
        "body": truncate(_storable(notification.body), BODY_LENGTH),
        "resource": notification.resource,
    }


def truncate(text: str, length: int) -> str:
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
