"""Registrations of the accounts app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """See the package's docstring."""

    name = "accounts"

    def ready(self) -> None:
        """Count what keys call although it is deprecated."""
        from accounts.call_counter import count_deprecated_call
        from core.api.lifecycle import observe_deprecated_calls

        observe_deprecated_calls(count_deprecated_call)
