"""The monitoring app."""

from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    """See the package's docstring."""

    name = "monitoring"

    def ready(self) -> None:
        """Register the system checks."""
        from monitoring import checks  # noqa: F401 - registering needs the app registry
