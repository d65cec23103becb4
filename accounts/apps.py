"""The accounts app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """See the package's docstring."""

    name = "accounts"
    public_scopes = ("keys:read", "keys:write")

    def ready(self) -> None:
        """Register the audit recorder, the counter of deprecated calls and the rate limits of requests."""
        from accounts.deprecated_calls import count_deprecated_call
        from accounts.limits import limits_of_request  # needs the app registry
        from accounts.services import record_audit
        from api.lifecycle import deprecated_call_observers
        from api.ratelimit.limiter import limit_providers
        from core.audit import audit_recorders

        audit_recorders.register(record_audit)
        deprecated_call_observers.register(count_deprecated_call)
        limit_providers.register(limits_of_request)
