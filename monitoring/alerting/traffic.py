"""Requests over a window, as rules ask for them: often, so that long windows are not summed at every evaluation."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from monitoring.models import RouteMetric
from monitoring.performance.sketch import Buckets, add_encoded, quantiles
from monitoring.performance.windows import window_before

# A sum may be old by this share of its window: that of three days by 18 minutes, that of five minutes by a second.
STALE_SHARE = 1 / 240
_FAILED = 5
_sums: dict[float, tuple[datetime, tuple[int, int]]] = {}


def count_requests(*, now: datetime, window_s: float) -> tuple[int, int]:
    """Return how many requests of the window failed (5xx), and how many there were."""
    known = _sums.get(window_s)
    if known is not None and timedelta() <= now - known[0] < timedelta(seconds=window_s * STALE_SHARE):
        return known[1]
    rows = _rows(now, window_s).aggregate(
        failed=Coalesce(Sum("count", filter=Q(status_class=_FAILED)), 0), total=Coalesce(Sum("count"), 0)
    )
    counted = (int(rows["failed"]), int(rows["total"]))
    _sums[window_s] = (now, counted)
    return counted


def p95_us(*, now: datetime, window_s: float) -> tuple[float, int]:
    """Return the 95th percentile of all requests of the window, and how many there were."""
    buckets: Buckets = {}
    for sketch in _rows(now, window_s).values_list("sketch", flat=True).iterator():
        add_encoded(buckets, sketch)
    (found,) = quantiles(buckets, [0.95])
    return found or 0.0, sum(buckets.values())


def _rows(now: datetime, window_s: float) -> QuerySet[RouteMetric]:
    window = window_before(now, window_s, now)
    return RouteMetric.objects.filter(started_at__gte=window.start, started_at__lt=window.end)
