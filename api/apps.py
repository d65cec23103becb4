"""App configuration of the API."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    """The API app."""

    name = "api"
    verbose_name = "API"
