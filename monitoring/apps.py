"""Django app configuration of monitoring."""

from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    """The monitoring app; it registers its jobs in `tasks`."""

    name = "monitoring"
