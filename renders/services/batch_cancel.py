"""Stop all renders of a batch."""

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

# Renders a transaction: a thousand in one would keep SQLite's only write lock for seconds.
CHUNK = 50
# By then the request that asked has done it, unless its process is gone.
TAKE_OVER_AFTER = timedelta(seconds=30)


def cancel_batch(*, batch: Batch) -> Batch:
    """Cancel every render of a batch that has not ended: those that wait at once, those that run within seconds.

    Repeating it changes nothing. Should this process die on the way, a job goes on with it.
    Raises BatchNotCancellable if all had ended before anybody asked.
    """
    request_batch_cancel(batch=batch)
    cancel_batch_renders(batch_id=batch.pk)
    return Batch.objects.get(pk=batch.pk)


def request_batch_cancel(*, batch: Batch) -> None:
    """Mark a batch as cancelling, in one short transaction; a job sees to its renders if the caller does not.

    Raises BatchNotCancellable if all its renders had ended before anybody asked.
    """
    asked_at = timezone.now()
    with transaction.atomic():
        rows = Batch.objects.filter(pk=batch.pk, status=BatchStatus.PROCESSING)
        if rows.update(status=BatchStatus.CANCELLING, cancel_requested_at=asked_at):
            enqueue(
                type=CANCEL_BATCH_JOB,
                payload={"batch": str(batch.pk)},
                run_at=asked_at + TAKE_OVER_AFTER,
                user_id=batch.owner_id,
            )
        elif not Batch.objects.filter(pk=batch.pk, cancel_requested_at__isnull=False).exists():
            raise BatchNotCancellable


def cancel_batch_renders(*, batch_id: UUID) -> None:
    """Cancel the renders of a batch that have not ended."""
    renders = Render.objects.filter(batch=batch_id)
    waiting = renders.filter(status__in=WAITING, job_id__isnull=False).order_by("pk")
    job_ids = list(waiting.values_list("job_id", flat=True))
    for start in range(0, len(job_ids), CHUNK):
        cancel_waiting_jobs(job_ids=job_ids[start : start + CHUNK])
    # What runs, and what a worker took up meanwhile.
    for render in renders.filter(status__in=ACTIVE - {RenderStatus.CANCELLING}).without_large_columns():
        with suppress(RenderNotCancellable):
            cancel_render(render=render)
