"""Optimistic locking: change a row only if it still has the version that was read."""

from __future__ import annotations

from django.db import transaction
from django.db.models import F, QuerySet

from core.exceptions import PreconditionFailed
from core.models import VersionedModel


def claim_version(row: VersionedModel) -> None:
    """Increment the version that was read, so that no other transaction changes the row before the commit.

    Check and write are one statement. Call it first in the transaction of the change.
    Raises PreconditionFailed if the row was changed, or deleted, since it was read; RuntimeError outside a transaction.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("claim_version was called outside a transaction")
    if not _as_read(row).update(row_version=F("row_version") + 1):
        raise PreconditionFailed
    row.row_version += 1


def lock_if_unchanged(row: VersionedModel) -> bool:
    """Lock a row, if the database has row locks, and return whether it still has the version that was read."""
    return _as_read(row).select_for_update().exists()


def _as_read(row: VersionedModel) -> QuerySet[VersionedModel]:
    rows: QuerySet[VersionedModel] = type(row)._base_manager.all()  # noqa: SLF001 - Django's name for it
    return rows.filter(pk=row.pk, row_version=row.row_version)


def refresh_version(row: VersionedModel) -> None:
    """Reload `row_version` after the changes of this transaction, which must hold the row."""
    found = type(row)._base_manager.filter(pk=row.pk).values_list("row_version", flat=True)  # noqa: SLF001
    row.row_version = found.get()
