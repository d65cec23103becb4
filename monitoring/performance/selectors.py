"""The sums of a window: from the rows, and from the memory of this process, which is newer than its own rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar

from monitoring.models import RouteMetric, StatementMetric
from monitoring.performance.aggregates import Aggregate, RequestAggregate, StatementAggregate
from monitoring.performance.aggregator import Snapshot
from monitoring.performance.windows import Window

A = TypeVar("A", bound=Aggregate)
# memory: taken before the rows are read; what is written in between is in both, and counted once.


def requests_in(window: Window, memory: Snapshot) -> Iterator[tuple[tuple[datetime, str, str, int], RequestAggregate]]:
    """Return (beginning, route, method, status class) and the sums, several times where several processes served."""
    return _sums_in(window, RouteMetric, RequestAggregate, memory.series, memory.process)


def statements_in(window: Window, memory: Snapshot) -> Iterator[tuple[tuple[datetime, str], StatementAggregate]]:
    """Return (beginning, digest) and the sums, several times where several processes ran a statement."""
    return _sums_in(window, StatementMetric, StatementAggregate, memory.statements, memory.process)


def _sums_in(
    window: Window, model: Any, kind: type[A], in_memory: Mapping[Any, A], process: str
) -> Iterator[tuple[Any, A]]:
    mine = {(key.started_at, *key[1:]): aggregate for key, aggregate in in_memory.items()}
    columns = ("started_at", *kind.KEY, "process", *kind.column_names())
    rows = model.objects.filter(started_at__gte=window.start, started_at__lt=window.end)
    for row in rows.values_list(*columns, named=True).iterator(chunk_size=2000):
        key = row[: 1 + len(kind.KEY)]
        if row.process != process or key not in mine:
            yield key, kind.from_row(row)
    for key, aggregate in mine.items():
        if window.start <= key[0] < window.end:
            yield key, aggregate.copy()
