"""Registrations of the API's plumbing."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    """See the package's docstring."""

    name = "api"
    verbose_name = "API"
