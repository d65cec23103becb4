"""Cancellation of batches."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from jobs.services import cancel_waiting_jobs, enqueue
from renders.exceptions import BatchNotCancellable, RenderNotCancellable
from renders.job_types import CANCEL_BATCH_JOB
from renders.models import Batch, Render
from renders.services.cancel import cancel_render
from renders.states import ACTIVE, WAITING, BatchStatus, RenderStatus

# Renders per transaction: 1,000 in one would hold SQLite's only write lock for seconds.
CHUNK = 50
# By then the request itself has cancelled all renders, unless its process died.
TAKE_OVER_AFTER = timedelta(seconds=30)


def cancel_batch(*, batch: Batch) -> Batch:
    """Cancel the unfinished renders of a batch: waiting ones at once, running ones within seconds.

    Safe to repeat. If this process dies, a job takes over.
    Raises BatchNotCancellable if all had ended before the first request.
    """
    request_batch_cancel(batch=batch)
    cancel_batch_renders(batch_id=batch.pk)
    return Batch.objects.get(pk=batch.pk)


def request_batch_cancel(*, batch: Batch) -> None:
    """Mark a batch as cancelling, in one short transaction; a job cancels its renders if the caller does not.

    Raises BatchNotCancellable if all had ended before the first request.
    """
    requested_at = timezone.now()
    with transaction.atomic():
        rows = Batch.objects.filter(pk=batch.pk, status=BatchStatus.PROCESSING)
        if rows.update(status=BatchStatus.CANCELLING, cancel_requested_at=requested_at):
            enqueue(
                type=CANCEL_BATCH_JOB,
                payload={"batch": str(batch.pk)},
                run_at=requested_at + TAKE_OVER_AFTER,
                user_id=batch.owner_id,
            )
        elif not Batch.objects.filter(pk=batch.pk, cancel_requested_at__isnull=False).exists():
            raise BatchNotCancellable


def cancel_batch_renders(*, batch_id: UUID) -> None:
    """Cancel the unfinished renders of a batch, in several transactions. Safe to repeat."""
    renders = Render.objects.filter(batch=batch_id)
    waiting = renders.filter(status__in=WAITING, job_id__isnull=False).order_by("pk")
    job_ids = list(waiting.values_list("job_id", flat=True))
    for start in range(0, len(job_ids), CHUNK):
        cancel_waiting_jobs(job_ids=job_ids[start : start + CHUNK])
    # Running renders, and those that a worker claimed in the meantime.
    for render in renders.filter(status__in=ACTIVE - {RenderStatus.CANCELLING}).without_large_columns():
        with suppress(RenderNotCancellable):
            cancel_render(render=render)
