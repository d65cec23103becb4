"""Services of analytics."""

from analytics.services.aggregation import aggregate_events
from analytics.services.events import new_event, record_event, write_events
from analytics.services.rebuild import rebuild_day, rebuild_range

__all__ = ["aggregate_events", "new_event", "rebuild_day", "rebuild_range", "record_event", "write_events"]
