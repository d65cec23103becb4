"""Kinds of notifications sent by automations."""

from core.notifications import NotificationKind, notification_kinds

MESSAGE = notification_kinds.register(
    NotificationKind("automation.message", "An automation of yours has something to say")
)
FAILED = notification_kinds.register(NotificationKind("automation.failed", "A run of an automation failed"))
PAUSED = notification_kinds.register(
    NotificationKind("automation.paused", "An automation failed too often and was paused", email=True)
)
