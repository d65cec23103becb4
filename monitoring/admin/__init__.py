"""Admin of the monitoring app; importing its modules registers their models."""

from monitoring.admin import alerts, errors, metrics

__all__ = ["alerts", "errors", "metrics"]
