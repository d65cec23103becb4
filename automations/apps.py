"""The automations app."""

from django.apps import AppConfig


class AutomationsConfig(AppConfig):
    """See the package's docstring."""

    name = "automations"
    public_scopes = ("automations:read", "automations:write")
