"""The credits app."""

from django.apps import AppConfig


class CreditsConfig(AppConfig):
    """See the package's docstring."""

    name = "credits"
