"""How the renders of a batch ended, counted in the transactions that end them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from core.events import publish
from renders.events import BatchCompleted
from renders.models import Batch, Render
from renders.states import BatchStatus, RenderStatus

_COLUMNS = {
    RenderStatus.SUCCEEDED: "succeeded",
    RenderStatus.FAILED: "failed",
    RenderStatus.CANCELLED: "cancelled",
}


def count_ended(*, render: Render, status: RenderStatus, charged: int = 0) -> None:
    """Count a render that has just ended; the last one of its batch completes the batch, which is published once.

    To be the last statement of its kind in the transaction: it locks the batch's row, for which every other render of
    the batch that ends then waits, after the rows of job, render and credits.
    """
    if render.batch_id is None:
        return
    column = _COLUMNS[status]
    counters: dict[str, Any] = {"pending": F("pending") - 1, column: F(column) + 1}
    if charged:
        counters["credits_charged"] = F("credits_charged") + charged
    rows = Batch.objects.filter(pk=render.batch_id)
    rows.update(**counters)
    # Our own update holds the row, so that of two last ones the later sees what the earlier left.
    ended = rows.filter(pending=0, finished_at__isnull=True)
    if ended.update(status=BatchStatus.COMPLETED, finished_at=timezone.now()):
        publish(_completion_of(Batch.objects.get(pk=render.batch_id)))


def count_top_up(*, batch_id: UUID | None, more: int) -> None:
    """Add what a render of a batch reserved later on."""
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
