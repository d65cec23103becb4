"""The analytics app."""

from django.apps import AppConfig


class AnalyticsConfig(AppConfig):
    """See the package's docstring."""

    name = "analytics"
    public_scopes = ("analytics:read",)
