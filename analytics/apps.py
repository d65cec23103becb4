"""App configuration of analytics."""

from django.apps import AppConfig


class AnalyticsConfig(AppConfig):
    """Configure the analytics app."""

    name = "analytics"
    public_scopes = ("analytics:read",)
