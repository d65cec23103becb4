"""Inboxes in lists: what `NotificationSerializer` writes for an instance, for the values of its columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from core.api.prepared import PreparedList, is_missing, texts
from core.api.rawvalues import Values
from notifications.models import Notification

COLUMNS = ("id", "kind", "title", "body", "resource", "read_at", "created_at")


def notification_shaper(base: str, version: int, values: Values) -> Callable[[Sequence[Any]], dict[str, Any]]:
    """Return what shapes the rows of an inbox. Rows have the values of COLUMNS, which `values` can read."""

    def shape(row: Sequence[Any]) -> dict[str, Any]:
        pk, kind, title, body, resource, read_at, created_at = row
        return {
            "id": values.public_id(Notification.ID_PREFIX, pk),
            "object": "notification",
            "kind": kind,
            "title": title,
            "body": body,
            "resource": resource or None,
            "read_at": values.time(read_at),
            "created_at": values.time(created_at),
        }

    return shape


NOTIFICATION_LIST = PreparedList(
    Notification,
    COLUMNS,
    notification_shaper,
    filters={"kind": texts("kind"), "unread": is_missing("read_at")},
    owner="user_id",
)
