"""App configuration of notifications."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """Configure the notifications app."""

    name = "notifications"
    public_scopes = ("notifications:read", "notifications:write", "webhooks:read", "webhooks:write")

    def ready(self) -> None:
        """Register the notifier that writes inboxes and emails."""
        from core.notifications import notifiers
        from notifications.services.inbox import deliver_notification  # needs the app registry

        notifiers.register(deliver_notification)
