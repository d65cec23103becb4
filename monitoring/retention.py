"""Retention policies of measurements, errors and alerts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Model, QuerySet

from core.retention import Retention, retentions
from monitoring.models import (
    AlertNotification,
    CacheMetric,
    ErrorLog,
    QueueMetric,
    RouteMetric,
    ServerProcess,
    Silence,
    SlowRequest,
    StatementMetric,
)


def _days(setting: str) -> Callable[[], timedelta]:
    return lambda: timedelta(days=getattr(settings, setting))


def _before(model: type[Model], column: str) -> Callable[[datetime], QuerySet[Any]]:
    return lambda moment: QuerySet(model).filter(**{f"{column}__lt": moment}).order_by(column)


def _resolved_before(moment: datetime) -> QuerySet[ErrorLog]:
    return ErrorLog.objects.filter(resolved_at__isnull=False, resolved_at__lt=moment).order_by("resolved_at")


_ROUTES = _days("RENDEROWL_ROUTE_METRICS_RETENTION_DAYS")
_SAMPLES = _days("RENDEROWL_SAMPLES_RETENTION_DAYS")
_ALERTS = _days("RENDEROWL_ALERT_RETENTION_DAYS")
retentions.register(Retention("route metrics", _ROUTES, _before(RouteMetric, "started_at")))
retentions.register(Retention("statement metrics", _SAMPLES, _before(StatementMetric, "started_at")))
retentions.register(Retention("slow requests", _ROUTES, _before(SlowRequest, "at")))
retentions.register(Retention("server processes", _SAMPLES, _before(ServerProcess, "last_seen_at")))
retentions.register(Retention("queue metrics", _SAMPLES, _before(QueueMetric, "at")))
retentions.register(Retention("cache metrics", _SAMPLES, _before(CacheMetric, "at")))
retentions.register(Retention("alert messages", _ALERTS, _before(AlertNotification, "created_at")))
retentions.register(Retention("silences", _ALERTS, _before(Silence, "ends_at")))
retentions.register(Retention("resolved errors", _days("RENDEROWL_ERRORS_RETENTION_DAYS"), _resolved_before))
