"""Registrations of the renders app."""

from django.apps import AppConfig


class RendersConfig(AppConfig):
    """See the package's docstring."""

    name = "renders"
