"""Event subscribers of notifications, one module per subject."""

from notifications.subscribers import inbox, webhooks

__all__ = ["inbox", "webhooks"]
