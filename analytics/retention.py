"""Retention of events and hourly stats. Daily stats are never deleted."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q, QuerySet

from analytics.models import AnalyticsEvent, HourlyStat, RetentionWatermark, StatRollup
from analytics.services.stats import EVENTS, HOURLY, lock_stats, start_of_day
from core.retention import Retention, retentions

BATCH = 5000


# Only whole days are deleted, so that the events of a day are either complete or all gone.
def _old_hours(moment: datetime) -> QuerySet[HourlyStat]:
    return HourlyStat.objects.filter(start__lt=start_of_day(moment)).order_by("start")


def _old_rollups(moment: datetime) -> QuerySet[StatRollup]:
    return StatRollup.objects.filter(interval="hour", start__lt=start_of_day(moment)).order_by("start")


def _old_events(moment: datetime) -> QuerySet[AnalyticsEvent]:
    """Return old events that are counted: an uncounted event is not recorded anywhere else."""
    return AnalyticsEvent.objects.filter(created_at__lt=start_of_day(moment), counted=True).order_by("created_at")


def _before_deleting_hours(moment: datetime) -> None:
    lock_stats()
    _advance_watermark(HOURLY, start_of_day(moment))


def _before_deleting_events(moment: datetime) -> None:
    lock_stats()
    _advance_watermark(EVENTS, start_of_day(moment))


def _advance_watermark(name: str, cutoff: datetime) -> None:
    RetentionWatermark.objects.get_or_create(name=name)
    behind = RetentionWatermark.objects.filter(Q(complete_since=None) | Q(complete_since__lt=cutoff), name=name)
    behind.update(complete_since=cutoff)


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
