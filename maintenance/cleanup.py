"""Delete what is past its time, or count it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from core.retention import Retention, retentions
from maintenance.files import orphan_files, remove_file

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class CleanupResult:
    """What was deleted, or what would be. rows: by the name of the retention."""

    rows: dict[str, int] = field(default_factory=dict)
    files: int = 0
    files_bytes: int = 0


def count_old(*, now: datetime, keep: timedelta | None = None) -> CleanupResult:
    """Return what `delete_old` would delete; write nothing.

    keep: instead of the times configured, except where the time is what makes rows safe to delete.
    """
    found = CleanupResult(rows=_counts(now, keep))
    for file in orphan_files(now):
        found.files += 1
        found.files_bytes += file.size_bytes
    return found


def delete_old(
    *, now: datetime, keep: timedelta | None = None, progress: Progress = lambda done, total: None
) -> CleanupResult:
    """Delete rows past their time and files that no row names, in batches, while everything runs."""
    total = sum(_counts(now, keep).values())
    done = 0
    cleaned = CleanupResult()
    for retention in retentions.by_name():
        cleaned.rows[retention.name] = 0
        while batch := retention.delete_batch(now, keep=keep):
            cleaned.rows[retention.name] += batch
            done += batch
            # Rows may come of age while this runs.
            if progress is not None:
                progress(done, max(total, done))
    for file in orphan_files(now):
        remove_file(file)
        cleaned.files += 1
        cleaned.files_bytes += file.size_bytes
    return cleaned


def _counts(now: datetime, keep: timedelta | None) -> dict[str, int]:
    """Return how many rows each retention will find when its turn comes: those before it leave it nothing of theirs."""
    earlier: dict[str, list[QuerySet[Any]]] = {}
    counts = {}
    for retention in retentions.by_name():
        rows = _old_rows(retention, now, keep)
        others = earlier.setdefault(retention.table, [])
        left = rows
        for other in others:
            left = left.exclude(pk__in=other.values("pk"))
        counts[retention.name] = left.count()
        others.append(rows)
    return counts


def _old_rows(retention: Retention, now: datetime, keep: timedelta | None) -> QuerySet[Any]:
    time = retention.keep() if keep is None or retention.is_fixed else keep
    return retention.older_than(now - time).order_by()
