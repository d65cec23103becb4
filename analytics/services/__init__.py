"""Every write of this app."""

from analytics.services.counting import count_events
from analytics.services.rebuilding import rebuild_day, rebuild_range
from analytics.services.recording import new_event, record_event, write_events

__all__ = ["count_events", "new_event", "rebuild_day", "rebuild_range", "record_event", "write_events"]
