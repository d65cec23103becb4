"""Inboxes: deliver notifications and mark them read."""

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
    """Write a notification to the channels its user wants, in the caller's transaction."""
    channels = channels_for(user_id=notification.user_id, kind=notification.kind)
    columns = notification_columns(notification)
    if channels.inbox:
        Notification.objects.create(**columns)
    if channels.email:
        queue_email(columns=columns)


def notification_columns(notification: NotificationRequest) -> dict[str, Any]:
    """Return the columns of a notification, with texts truncated to fit."""
    return {
        "user_id": notification.user_id,
        "kind": notification.kind,
        # A single line: the title is also the subject of the email.
        "title": truncate(" ".join(_storable(notification.title).split()), TITLE_LENGTH),
        "body": truncate(_storable(notification.body), BODY_LENGTH),
        "resource": notification.resource,
    }


def truncate(text: str, length: int) -> str:
    """Shorten a text to at most `length` characters, ending with an ellipsis if cut."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _storable(text: str) -> str:
    return text.replace("\x00", "")  # PostgreSQL rejects NUL in text


def mark_notification(*, notification: Notification, is_read: bool) -> Notification:
    """Mark a notification read or unread. Marking a read one again keeps its `read_at`."""
    moment = timezone.now() if is_read else None
    row = Notification.objects.filter(pk=notification.pk, read_at__isnull=is_read)
    if row.update(read_at=moment):
        notification.read_at = moment
    else:
        notification.refresh_from_db(fields=["read_at"])
    return notification


def mark_all_read(*, user: Any, before: datetime | None = None, kind: str = "") -> int:
    """Mark all unread notifications of a user read, optionally by time and kind; return their number."""
    rows = Notification.objects.for_owner(user).unread()
    if before is not None:
        rows = rows.filter(created_at__lt=before)
    if kind:
        rows = rows.filter(kind=kind)
    return rows.update(read_at=Now())
