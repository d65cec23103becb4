"""Aggregates of a window, from rows and from the memory of this process, which is newer than its rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar

from monitoring.models import RouteMetric, StatementMetric
from monitoring.performance.aggregates import Aggregate, RequestAggregate, StatementAggregate
from monitoring.performance.aggregator import Snapshot
from monitoring.performance.windows import Window

A = TypeVar("A", bound=Aggregate)
# memory: taken before the rows are read, so that aggregates written in between are in both, and counted once.


def requests_in(window: Window, memory: Snapshot) -> Iterator[tuple[tuple[datetime, str, str, int], RequestAggregate]]:
    """Yield (start, route, method, status class) and the aggregate; keys repeat for several processes."""
    return _aggregates_in(window, RouteMetric, RequestAggregate, memory.series, memory.process)


def statements_in(window: Window, memory: Snapshot) -> Iterator[tuple[tuple[datetime, str], StatementAggregate]]:
    """Yield (start, digest) and the aggregate; keys repeat for several processes."""
    return _aggregates_in(window, StatementMetric, StatementAggregate, memory.statements, memory.process)


def _aggregates_in(
    window: Window, model: Any, kind: type[A], in_memory: Mapping[Any, A], process: str
) -> Iterator[tuple[Any, A]]:
    newer = {(key.started_at, *key[1:]): aggregate for key, aggregate in in_memory.items()}
    columns = ("started_at", *kind.KEY, "process", *kind.column_names())
    rows = model.objects.filter(started_at__gte=window.start, started_at__lt=window.end)
    for row in rows.values_list(*columns, named=True).iterator(chunk_size=2000):
        key = row[: 1 + len(kind.KEY)]
        if row.process != process or key not in newer:
            yield key, kind.from_row(row)
    for key, aggregate in newer.items():
        if window.start <= key[0] < window.end:
            yield key, aggregate.copy()
