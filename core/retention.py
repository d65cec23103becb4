"""Retention of rows: the registry for the job that deletes old rows and the command that lists them.

An app registers its tables in its `retention.py`, which is imported at startup.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from core.registry import Registry

DELETE_BATCH_SIZE = 500
_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Retention:
    """One table, or a part of one.

    name: for staff; keep: returns the retention; older_than: the rows that are older than a time, in the order of the
    index that finds them. is_fixed: the retention makes the rows safe to delete, and cannot be overridden.
    before: called with that time in the transaction of each batch, before the rows are deleted.
    batch_size: rows per batch.
    """

    name: str
    keep: Callable[[], timedelta]
    older_than: Callable[[datetime], QuerySet[Any]]
    is_fixed: bool = False
    before: Callable[[datetime], None] | None = None
    batch_size: int = DELETE_BATCH_SIZE

    @property
    def table(self) -> str:
        """Return the name of the database table."""
        table: str = self.older_than(_ANY_TIME).model._meta.db_table
        return table

    def count(self, now: datetime, *, keep: timedelta | None = None) -> int:
        """Return how many rows are past their retention. keep: overrides the configured one."""
        return self.older_than(self._moment(now, keep)).count()

    def delete_batch(self, now: datetime, *, keep: timedelta | None = None, limit: int | None = None) -> int:
        """Delete a batch of rows past their retention; return how many, 0 when none are left."""
        moment = self._moment(now, keep)
        old = self.older_than(moment)
        # Read before the transaction, which takes SQLite's write lock at BEGIN.
        batch = list(old.values_list("pk", flat=True)[: limit or self.batch_size])
        if not batch:
            return 0
        with transaction.atomic():
            if self.before is not None:
                self.before(moment)
            # The DELETE repeats the condition, as a row that was changed in between may be in use.
            _, deleted = old.order_by().filter(pk__in=batch).delete()
        return deleted.get(old.model._meta.label, 0)

    def _moment(self, now: datetime, keep: timedelta | None) -> datetime:
        return now - (self.keep() if keep is None or self.is_fixed else keep)


retentions = Registry[str, Retention]("retention")
