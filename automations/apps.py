"""App configuration of automations."""

from django.apps import AppConfig


class AutomationsConfig(AppConfig):
    """Automations and their API."""

    name = "automations"
    public_scopes = ("automations:read", "automations:write")
