"""Admin of notifications, one module per subject; imported for the registrations."""

from notifications.admin import broadcasts, inbox, webhooks

__all__ = ["broadcasts", "inbox", "webhooks"]
