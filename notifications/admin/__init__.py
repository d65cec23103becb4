"""Staff's screens, one module a subject. Imported for their registrations."""

from notifications.admin import broadcasts, inbox, webhooks

__all__ = ["broadcasts", "inbox", "webhooks"]
