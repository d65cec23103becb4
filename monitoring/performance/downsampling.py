"""Downsampling: merges old rows of all processes into ten minutes, then hours, without changing any result."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from monitoring.models import RouteMetric, StatementMetric
from monitoring.performance.aggregates import Aggregate, RequestAggregate, StatementAggregate, add_to
from monitoring.performance.windows import HOUR_S, NEXT_RESOLUTION, RESOLUTION_RETENTION, floor_to

# Longer than a process keeps unwritten aggregates: see aggregator.
MERGE_STATEMENTS_AFTER = timedelta(hours=4)
MERGED = ""
_DELETE_BATCH_SIZE = 500


class MergeConflict(Exception):
    """Another worker merged the same rows concurrently."""


def merge_routes(*, now: datetime) -> int:
    """Merge the rows of one old enough time span; return their number, 0 when none is left."""
    for resolution_s, retention in RESOLUTION_RETENTION.items():
        into_s = NEXT_RESOLUTION[resolution_s]
        limit = floor_to(now - retention, into_s)
        # Latest first, so that the query need not skip rows that are already merged.
        old = RouteMetric.objects.filter(resolution_s=resolution_s, started_at__lt=limit).order_by("-started_at")
        latest = old.values_list("started_at", flat=True).first()
        if latest is not None:
            start = floor_to(latest, into_s)
            end = start + timedelta(seconds=into_s)
            rows = list(RouteMetric.objects.filter(started_at__gte=start, started_at__lt=end, resolution_s__lte=into_s))
            merged = _merged(rows, RequestAggregate, started_at=start, resolution_s=into_s)
            _replace(RouteMetric, rows, merged)
            return len(rows)
    return 0


def merge_statements(*, now: datetime) -> int:
    """Merge the processes' rows of one old enough hour; return their number, 0 when none is left."""
    limit = floor_to(now - MERGE_STATEMENTS_AFTER, HOUR_S)
    old = StatementMetric.objects.filter(started_at__lt=limit).exclude(process=MERGED).order_by("-started_at")
    start = old.values_list("started_at", flat=True).first()
    if start is None:
        return 0
    rows = list(StatementMetric.objects.filter(started_at=start))
    _replace(StatementMetric, rows, _merged(rows, StatementAggregate, started_at=start))
    return len(rows)


def _merged(rows: Sequence[Any], kind: type[Aggregate], **span: Any) -> list[Any]:
    """Return one merged row per key. span: columns that all new rows share."""
    merged: dict[tuple[Any, ...], Aggregate] = {}
    for row in rows:
        add_to(merged, tuple(getattr(row, name) for name in kind.KEY), kind.from_row(row))
    return [
        type(rows[0])(process=MERGED, **span, **dict(zip(kind.KEY, key, strict=True)), **aggregate.columns())
        for key, aggregate in merged.items()
    ]


@transaction.atomic
def _replace(model: Any, old: Sequence[Any], new: Sequence[Any]) -> None:
    """Replace old rows with new ones. Raises MergeConflict, and changes nothing, if an old row is gone."""
    keys = [row.pk for row in old]
    for start in range(0, len(keys), _DELETE_BATCH_SIZE):
        batch = keys[start : start + _DELETE_BATCH_SIZE]
        deleted, _ = model.objects.filter(pk__in=batch).delete()
        if deleted != len(batch):
            raise MergeConflict
    model.objects.bulk_create(new)
