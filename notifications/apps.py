"""The notifications app."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """See the package's docstring."""

    name = "notifications"
    public_scopes = ("notifications:read", "notifications:write", "webhooks:read", "webhooks:write")

    def ready(self) -> None:
        """Take notifications."""
        from core.notifications import notifiers
        from notifications.services.inbox import deliver_notification  # needs the app registry

        notifiers.register(deliver_notification)
