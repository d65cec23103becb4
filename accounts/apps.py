"""Registrations of the accounts app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """See the package's docstring."""

    name = "accounts"

    def ready(self) -> None:
        """Count what keys call although it is deprecated, and say whom requests count for."""
        from accounts.call_counter import count_deprecated_call
        from accounts.limits import limits_of_request  # needs the app registry
        from core.api.lifecycle import observe_deprecated_calls
        from core.ratelimit.registry import register_limits

        observe_deprecated_calls(count_deprecated_call)
        register_limits(limits_of_request)
