"""Registrations of the accounts app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """See the package's docstring."""

    name = "accounts"

    def ready(self) -> None:
        """Keep the audit, count what keys call although it is deprecated, say whom requests count for."""
        from accounts.call_counter import count_deprecated_call
        from accounts.limits import limits_of_request  # needs the app registry
        from accounts.retention import RETENTIONS
        from accounts.services import record_audit
        from core.api.lifecycle import observe_deprecated_calls
        from core.audit import register_recorder
        from core.ratelimit.registry import register_limits
        from core.retention import register_retention

        register_recorder(record_audit)
        observe_deprecated_calls(count_deprecated_call)
        register_limits(limits_of_request)
        for retention in RETENTIONS:
            register_retention(retention)
