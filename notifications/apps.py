"""The notifications app."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """See the package's docstring."""

    name = "notifications"
    public_scopes = ("notifications:read", "notifications:write", "webhooks:read", "webhooks:write")

    def ready(self) -> None:
        """Take notices."""
        from core.notices import notifiers
        from notifications.services.inbox import take_notice  # needs the app registry

        notifiers.register(take_notice)
