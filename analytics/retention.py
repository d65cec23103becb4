"""How long events and figures are kept. Those of days are kept for ever."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet

from analytics.models import Digest, Event, Horizon, HourlyStat
from analytics.services.sums import EVENTS, HOURLY, day_of, lock_figures
from core.retention import Retention, retentions

BATCH = 5000


# What is deleted is whole days, so that a day is either complete or its figures alone are left.
def _old_hours(moment: datetime) -> QuerySet[HourlyStat]:
    return HourlyStat.objects.filter(start__lt=day_of(moment)).order_by("start")


def _old_digests(moment: datetime) -> QuerySet[Digest]:
    return Digest.objects.filter(interval="hour", start__lt=day_of(moment)).order_by("start")


def _old_events(moment: datetime) -> QuerySet[Any]:
    """Return the old events that are in the figures; for what is not counted yet there is no other record.

    Not through the model's own manager: it deletes nothing.
    """
    return QuerySet(Event).filter(created_at__lt=day_of(moment), counted=True).order_by("created_at")


def _leave_hours(moment: datetime) -> None:
    lock_figures()
    _move_horizon(HOURLY, day_of(moment))


def _leave_events(moment: datetime) -> None:
    lock_figures()
    _move_horizon(EVENTS, day_of(moment))


def _move_horizon(name: str, cutoff: datetime) -> None:
    Horizon.objects.get_or_create(name=name)
    later = Horizon.objects.filter(Q(complete_since=None) | Q(complete_since__lt=cutoff), name=name)
    later.update(complete_since=cutoff)


retentions.register(
    Retention(
        "analytics events",
        lambda: timedelta(days=settings.RENDEROWL_ANALYTICS_EVENT_DAYS),
        _old_events,
        before=_leave_events,
        at_once=BATCH,
    )
)
retentions.register(
    Retention(
        "analytics hours",
        lambda: timedelta(days=settings.RENDEROWL_ANALYTICS_HOURLY_DAYS),
        _old_hours,
        before=_leave_hours,
        at_once=BATCH,
    )
)
retentions.register(
    Retention(
        "analytics digests of hours",
        lambda: timedelta(days=settings.RENDEROWL_ANALYTICS_HOURLY_DAYS),
        _old_digests,
        before=_leave_hours,
        at_once=BATCH,
    )
)
