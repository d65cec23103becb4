"""The credits app."""

from django.apps import AppConfig


class CreditsConfig(AppConfig):
    """See the package's docstring."""

    name = "credits"
    public_scopes = ("credits:read",)
    restricted_scopes = ("internal:credits",)
