"""Counters of batches, updated in the transactions that end their renders."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from core.events import publish
from renders.events import BatchCompleted
from renders.models import Batch, Render
from renders.states import BatchStatus, RenderStatus


def count_ended(*, render: Render, status: RenderStatus, charged: int = 0) -> None:
    """Count a render that has just ended; the last one completes its batch, which is published once.

    Call it last in the transaction, after the rows of job, render and credits are locked: it locks the row of the
    batch, which every other ending render of the batch then waits for.
    """
    if render.batch_id is None:
        return
    # The counters are named like the final statuses.
    counters: dict[str, Any] = {"pending": F("pending") - 1, status.value: F(status.value) + 1}
    if charged:
        counters["credits_charged"] = F("credits_charged") + charged
    rows = Batch.objects.filter(pk=render.batch_id)
    rows.update(**counters)
    # The update above locks the row, so that the later of two concurrent renders sees the count of the earlier.
    ended = rows.filter(pending=0, finished_at__isnull=True)
    if ended.update(status=BatchStatus.COMPLETED, finished_at=timezone.now()):
        publish(_completion_of(Batch.objects.get(pk=render.batch_id)))


def count_top_up(*, batch_id: UUID | None, more: int) -> None:
    """Add a later reservation of a render to its batch. more: hundredths of a credit."""
    if batch_id is not None and more:
        Batch.objects.filter(pk=batch_id).update(credits_reserved=F("credits_reserved") + more)


def _completion_of(batch: Batch) -> BatchCompleted:
    return BatchCompleted(
        batch_id=batch.pk,
        owner_id=batch.owner_id,
        project_id=batch.project_id,
        total=batch.total,
        succeeded=batch.succeeded,
        failed=batch.failed,
        cancelled=batch.cancelled,
        credits_charged=batch.credits_charged,
    )
