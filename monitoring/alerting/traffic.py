"""Request counts and percentiles for alert metrics; sums of long windows are cached between evaluations."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from monitoring.models import RouteMetric
from monitoring.performance.sketch import Buckets, add_encoded, quantiles
from monitoring.performance.windows import window_before

# A sum may be older by this share of its window: 18 minutes for three days, a second for five minutes.
STALE_SHARE = 1 / 240
_FAILED = 5
_sums: dict[float, tuple[datetime, tuple[int, int]]] = {}


def count_requests(*, now: datetime, window_s: float) -> tuple[int, int]:
    """Return the number of failed (5xx) requests of the window, and of all requests."""
    cached = _sums.get(window_s)
    if cached is not None and timedelta() <= now - cached[0] < timedelta(seconds=window_s * STALE_SHARE):
        return cached[1]
    rows = _rows(now, window_s).aggregate(
        failed=Coalesce(Sum("count", filter=Q(status_class=_FAILED)), 0), total=Coalesce(Sum("count"), 0)
    )
    counts = (int(rows["failed"]), int(rows["total"]))
    _sums[window_s] = (now, counts)
    return counts


def p95_us(*, now: datetime, window_s: float) -> tuple[float, int]:
    """Return the 95th percentile of the window in microseconds, 0.0 without requests, and their number."""
    buckets: Buckets = {}
    for sketch in _rows(now, window_s).values_list("sketch", flat=True).iterator():
        add_encoded(buckets, sketch)
    (value,) = quantiles(buckets, [0.95])
    return value or 0.0, sum(buckets.values())


def _rows(now: datetime, window_s: float) -> QuerySet[RouteMetric]:
    window = window_before(now, window_s, now)
    return RouteMetric.objects.filter(started_at__gte=window.start, started_at__lt=window.end)
