"""Merge old rows: minutes into ten minutes, those into hours, over all processes. Counts and percentiles stay exact."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from core.sketch import add_encoded, encode
from monitoring.models import RouteMetric, StatementMetric
from monitoring.performance.recorder import Cell, StatementCell
from monitoring.performance.windows import HOUR_S, KEPT_FOR, NEXT_SPAN, floor_to
from monitoring.performance.writing import sums_of

# Long after a process has given up what it could not write: see pending.
STATEMENTS_KEPT_APART = timedelta(hours=4)
MERGED = ""
_DELETED_AT_ONCE = 500
Place = tuple[str, str, int]


class MergedByAnother(Exception):
    """Somebody else merged the same rows at the same time."""


def merge_routes(*, now: datetime) -> int:
    """Merge the rows of one span of time that is old enough; return how many there were, 0 when none is left."""
    for span_s, kept_for in KEPT_FOR.items():
        into_s = NEXT_SPAN[span_s]
        limit = floor_to(now - kept_for, into_s)
        # From the limit back: what is merged already lies behind it.
        old = RouteMetric.objects.filter(span_s=span_s, started_at__lt=limit).order_by("-started_at")
        latest = old.values_list("started_at", flat=True).first()
        if latest is not None:
            return _merge_span(floor_to(latest, into_s), into_s)
    return 0


def _merge_span(start: datetime, span_s: int) -> int:
    found = RouteMetric.objects.filter(
        started_at__gte=start, started_at__lt=start + timedelta(seconds=span_s), span_s__lte=span_s
    )
    rows = list(found)
    merged: dict[Place, Cell] = {}
    for row in rows:
        merged.setdefault((row.route, row.method, row.status_class), Cell()).add(cell_of(row))
    made = [
        RouteMetric(
            started_at=start,
            span_s=span_s,
            process=MERGED,
            route=route,
            method=method,
            status_class=status_class,
            **sums_of(cell),
        )
        for (route, method, status_class), cell in merged.items()
    ]
    _replace(RouteMetric, rows, made)
    return len(rows)


def cell_of(row: RouteMetric) -> Cell:
    """Return the sums of a row."""
    cell = Cell(
        count=row.count,
        total_us=row.total_us,
        sql_us=row.sql_us,
        cache_us=row.cache_us,
        queries=row.queries,
        size_bytes=row.size_bytes,
        cache_hits=row.cache_hits,
        cache_lookups=row.cache_lookups,
        slow_count=row.slow_count,
        max_us=row.max_us,
        slowest=[(int(took_us), str(request_id)) for took_us, request_id in row.slowest],
    )
    add_encoded(cell.buckets, row.sketch)
    return cell


def merge_statements(*, now: datetime) -> int:
    """Merge the processes' rows of one hour that is old enough; return how many there were, 0 when none is left."""
    limit = floor_to(now - STATEMENTS_KEPT_APART, HOUR_S)
    old = StatementMetric.objects.filter(started_at__lt=limit).exclude(process=MERGED).order_by("-started_at")
    start = old.values_list("started_at", flat=True).first()
    if start is None:
        return 0
    rows = list(StatementMetric.objects.filter(started_at=start))
    merged: dict[str, tuple[StatementMetric, StatementCell]] = {}
    for row in rows:
        cell = StatementCell(row.count, row.total_us, row.max_us, row.route)
        add_encoded(cell.buckets, row.sketch)
        merged.setdefault(row.digest, (row, StatementCell()))[1].add(cell)
    made = [
        StatementMetric(
            started_at=start,
            process=MERGED,
            digest=digest,
            shape=row.shape,
            example=row.example,
            route=cell.route,
            count=cell.count,
            total_us=cell.total_us,
            max_us=cell.max_us,
            sketch=encode(cell.buckets),
        )
        for digest, (row, cell) in merged.items()
    ]
    _replace(StatementMetric, rows, made)
    return len(rows)


@transaction.atomic
def _replace(model: Any, old: Sequence[Any], new: Sequence[Any]) -> None:
    """Put new rows in the place of old ones, or change nothing.

    Raises MergedByAnother where one of the old ones is gone.
    """
    keys = [row.pk for row in old]
    for at in range(0, len(keys), _DELETED_AT_ONCE):
        some = keys[at : at + _DELETED_AT_ONCE]
        deleted, _ = model.objects.filter(pk__in=some).delete()
        if deleted != len(some):
            raise MergedByAnother
    model.objects.bulk_create(new)
