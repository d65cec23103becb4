"""What this app does when others report, one module a subject."""

from notifications.subscribers import inbox, webhooks

__all__ = ["inbox", "webhooks"]
