"""Merge old rows: minutes into ten minutes, those into hours, over all processes. Counts and percentiles stay exact."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from monitoring.models import RouteMetric, StatementMetric
from monitoring.performance.aggregates import Aggregate, RequestAggregate, StatementAggregate, add_to
from monitoring.performance.windows import HOUR_S, NEXT_RESOLUTION, RESOLUTION_KEPT_FOR, floor_to

# Long after a process has given up what it could not write: see aggregator.
STATEMENTS_KEPT_APART = timedelta(hours=4)
MERGED = ""
_DELETED_AT_ONCE = 500


class MergeConflict(Exception):
    """Another worker merged the same rows at the same time."""


def merge_routes(*, now: datetime) -> int:
    """Merge the rows of one span of time that is old enough; return how many there were, 0 when none is left."""
    for resolution_s, kept_for in RESOLUTION_KEPT_FOR.items():
        into_s = NEXT_RESOLUTION[resolution_s]
        limit = floor_to(now - kept_for, into_s)
        # From the limit back: what is merged already lies behind it.
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
    """Merge the processes' rows of one hour that is old enough; return how many there were, 0 when none is left."""
    limit = floor_to(now - STATEMENTS_KEPT_APART, HOUR_S)
    old = StatementMetric.objects.filter(started_at__lt=limit).exclude(process=MERGED).order_by("-started_at")
    start = old.values_list("started_at", flat=True).first()
    if start is None:
        return 0
    rows = list(StatementMetric.objects.filter(started_at=start))
    _replace(StatementMetric, rows, _merged(rows, StatementAggregate, started_at=start))
    return len(rows)


def _merged(rows: Sequence[Any], kind: type[Aggregate], **span: Any) -> list[Any]:
    """Return one row for all of each key. span: what the new rows have in common."""
    merged: dict[tuple[Any, ...], Aggregate] = {}
    for row in rows:
        add_to(merged, tuple(getattr(row, name) for name in kind.KEY), kind.from_row(row))
    return [
        type(rows[0])(process=MERGED, **span, **dict(zip(kind.KEY, key, strict=True)), **aggregate.columns())
        for key, aggregate in merged.items()
    ]


@transaction.atomic
def _replace(model: Any, old: Sequence[Any], new: Sequence[Any]) -> None:
    """Put new rows in the place of old ones, or change nothing.

    Raises MergeConflict where one of the old ones is gone.
    """
    keys = [row.pk for row in old]
    for at in range(0, len(keys), _DELETED_AT_ONCE):
        some = keys[at : at + _DELETED_AT_ONCE]
        deleted, _ = model.objects.filter(pk__in=some).delete()
        if deleted != len(some):
            raise MergeConflict
    model.objects.bulk_create(new)
