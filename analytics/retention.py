"""How long events and stats are kept. Those of days are kept for ever."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet

from analytics.models import AnalyticsEvent, HourlyStat, RetentionWatermark, StatRollup
from analytics.services.stats import EVENTS, HOURLY, lock_stats, start_of_day
from core.retention import Retention, retentions

BATCH = 5000


# What is deleted is whole days, so that a day is either complete or its stats alone are left.
def _old_hours(moment: datetime) -> QuerySet[HourlyStat]:
    return HourlyStat.objects.filter(start__lt=start_of_day(moment)).order_by("start")


def _old_rollups(moment: datetime) -> QuerySet[StatRollup]:
    return StatRollup.objects.filter(interval="hour", start__lt=start_of_day(moment)).order_by("start")


def _old_events(moment: datetime) -> QuerySet[Any]:
    """Return the old events that are in the stats; for what is not counted yet there is no other record.

    Not through the model's own manager: it deletes nothing.
    """
    return QuerySet(AnalyticsEvent).filter(created_at__lt=start_of_day(moment), counted=True).order_by("created_at")


def _before_deleting_hours(moment: datetime) -> None:
    lock_stats()
    _advance_watermark(HOURLY, start_of_day(moment))


def _before_deleting_events(moment: datetime) -> None:
    lock_stats()
    _advance_watermark(EVENTS, start_of_day(moment))


def _advance_watermark(name: str, cutoff: datetime) -> None:
    RetentionWatermark.objects.get_or_create(name=name)
    later = RetentionWatermark.objects.filter(Q(complete_since=None) | Q(complete_since__lt=cutoff), name=name)
    later.update(complete_since=cutoff)


retentions.register(
    Retention(
        "analytics events",
        lambda: timedelta(days=settings.RENDEROWL_ANALYTICS_EVENT_DAYS),
        _old_events,
        before=_before_deleting_events,
        batch_size=BATCH,
    )
)
retentions.register(
    Retention(
        "analytics hours",
        lambda: timedelta(days=settings.RENDEROWL_ANALYTICS_HOURLY_DAYS),
        _old_hours,
        before=_before_deleting_hours,
        batch_size=BATCH,
    )
)
retentions.register(
    Retention(
        "analytics hourly rollups",
        lambda: timedelta(days=settings.RENDEROWL_ANALYTICS_HOURLY_DAYS),
        _old_rollups,
        before=_before_deleting_hours,
        batch_size=BATCH,
    )
)
