"""The assets app."""

from django.apps import AppConfig


class AssetsConfig(AppConfig):
    """See the package's docstring."""

    name = "assets"
    public_scopes = ("assets:read", "assets:write", "assets:delete")
