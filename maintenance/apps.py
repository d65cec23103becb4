"""Registrations of the maintenance app."""

from django.apps import AppConfig


class MaintenanceConfig(AppConfig):
    """See the package's docstring."""

    name = "maintenance"
