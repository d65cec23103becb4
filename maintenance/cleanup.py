"""Database cleanup: delete, or count, expired rows and orphan files."""

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
    """What a cleanup deleted, or a dry run would delete. rows: row counts by retention name."""

    rows: dict[str, int] = field(default_factory=dict)
    files: int = 0
    files_bytes: int = 0


def count_expired(*, now: datetime, keep: timedelta | None = None) -> CleanupResult:
    """Return what `delete_expired` would delete, without writing.

    keep: replaces the configured retention periods, except fixed ones, which make the rows safe to delete.
    """
    found = CleanupResult(rows=_counts(now, keep))
    for file in orphan_files(now):
        found.files += 1
        found.files_bytes += file.size_bytes
    return found


def delete_expired(
    *, now: datetime, keep: timedelta | None = None, progress: Progress = lambda done, total: None
) -> CleanupResult:
    """Delete expired rows in batches, then orphan files; safe while the service runs."""
    total = sum(_counts(now, keep).values())
    done = 0
    cleaned = CleanupResult()
    for retention in retentions.by_name():
        cleaned.rows[retention.name] = 0
        while batch := retention.delete_batch(now, keep=keep):
            cleaned.rows[retention.name] += batch
            done += batch
            # More rows may expire while this runs.
            progress(done, max(total, done))
    for file in orphan_files(now):
        remove_file(file)
        cleaned.files += 1
        cleaned.files_bytes += file.size_bytes
    return cleaned


def _counts(now: datetime, keep: timedelta | None) -> dict[str, int]:
    """Count the expired rows by retention; a row that several retentions match counts for the first one."""
    earlier: dict[str, list[QuerySet[Any]]] = {}
    counts = {}
    for retention in retentions.by_name():
        rows = _expired_rows(retention, now, keep)
        others = earlier.setdefault(retention.table, [])
        left = rows
        for other in others:
            left = left.exclude(pk__in=other.values("pk"))
        counts[retention.name] = left.count()
        others.append(rows)
    return counts


def _expired_rows(retention: Retention, now: datetime, keep: timedelta | None) -> QuerySet[Any]:
    time = retention.keep() if keep is None or retention.is_fixed else keep
    return retention.older_than(now - time).order_by()
