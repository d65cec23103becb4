"""Django app configuration of maintenance."""

from django.apps import AppConfig


class MaintenanceConfig(AppConfig):
    """The maintenance app; it registers its jobs in `tasks`."""

    name = "maintenance"
