"""Registrations of the accounts app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """See the package's docstring."""

    name = "accounts"

    def ready(self) -> None:
        """Say whom requests count for."""
        from accounts.limits import limits_of_request  # needs the app registry
        from core.ratelimit.registry import register_limits

        register_limits(limits_of_request)
