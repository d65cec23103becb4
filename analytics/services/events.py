"""Services that write analytics events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from analytics.models import NO_PROJECT, AnalyticsEvent, AnalyticsEventType


def new_event(
    *,
    type: AnalyticsEventType,  # noqa: A002 - as the column
    user_id: UUID,
    project_id: UUID | None = None,
    resource_id: UUID | None = None,
    code: str = "",
    at: datetime | None = None,
    **numbers: int,
) -> AnalyticsEvent:
    """Return an unsaved event.

    at: time of the event, now by default; a late event is counted in the hour and day of this time.
    numbers: columns of `EventMeasures`.
    """
    return AnalyticsEvent(
        type=type.value,
        user_id=user_id,
        project_id=project_id or NO_PROJECT,
        resource_id=resource_id,
        code=code[:64],
        created_at=at or timezone.now(),
        **numbers,
    )


def record_event(**columns: Any) -> AnalyticsEvent:
    """Create an event in the caller's transaction; takes the arguments of `new_event`."""
    event = new_event(**columns)
    event.save(force_insert=True)
    return event


def write_events(events: Sequence[AnalyticsEvent]) -> None:
    """Insert events in bulk, in the caller's transaction."""
    AnalyticsEvent.objects.bulk_create(events)
