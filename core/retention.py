"""How long rows are kept: one list for the job that deletes them and for the command that tells.

An app registers its tables in its `retention.py`, which is imported as the program starts.
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
_SOME_TIME = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Retention:
    """One table, or a part of one.

    name: as staff read it; keep: for how long, asked each time; older_than: the rows that are older than a moment, in
    the order of the index that finds them.
    is_fixed: the time is what makes the rows safe to delete, and nobody chooses another.
    before: told of that moment in the transaction of each batch, before the rows go.
    batch_size: rows in a batch.
    """

    name: str
    keep: Callable[[], timedelta]
    older_than: Callable[[datetime], QuerySet[Any]]
    is_fixed: bool = False
    before: Callable[[datetime], None] | None = None
    batch_size: int = DELETE_BATCH_SIZE

    @property
    def table(self) -> str:
        """Return the table."""
        table: str = self.older_than(_SOME_TIME).model._meta.db_table
        return table

    def count(self, now: datetime, *, keep: timedelta | None = None) -> int:
        """Return how many rows are past their time. keep: instead of the time configured."""
        return self.older_than(self._moment(now, keep)).count()

    def delete_batch(self, now: datetime, *, keep: timedelta | None = None, most: int | None = None) -> int:
        """Delete some of the rows that are past their time; return how many, 0 when none is left."""
        moment = self._moment(now, keep)
        old = self.older_than(moment)
        # Found before the transaction: SQLite's takes the write lock at BEGIN.
        batch = list(old.values_list("pk", flat=True)[: most or self.batch_size])
        if not batch:
            return 0
        with transaction.atomic():
            if self.before is not None:
                self.before(moment)
            # Asked again in the statement that deletes: one that was changed meanwhile may be in use.
            _, deleted = old.order_by().filter(pk__in=batch).delete()
        return deleted.get(old.model._meta.label, 0)

    def _moment(self, now: datetime, keep: timedelta | None) -> datetime:
        return now - (self.keep() if keep is None or self.is_fixed else keep)


retentions = Registry[str, Retention]("retention")
