"""Cancellation of renders."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from jobs.services import cancel_job
from renders.exceptions import RenderNotCancellable
from renders.models import Render
from renders.services.outcomes import close_cancelled
from renders.services.transitions import change_status
from renders.states import RUNNING, WAITING, RenderStatus


def cancel_render(*, render: Render) -> Render:
    """Cancel a render: a waiting one at once, a running one within seconds. Safe to repeat.

    Raises RenderNotCancellable if it has succeeded or failed.
    """
    requested_at = timezone.now()
    with transaction.atomic():
        # Job before render, as in every transaction that writes both: the same order everywhere avoids deadlocks.
        if render.job_id is not None:
            cancel_job(job_id=render.job_id)
        if not close_cancelled(render_id=render.pk, only_from=WAITING, cancel_requested_at=requested_at):
            change_status(
                render_id=render.pk, to=RenderStatus.CANCELLING, only_from=RUNNING, cancel_requested_at=requested_at
            )
        current: Render = Render.objects.get(pk=render.pk)
        if current.status in {RenderStatus.SUCCEEDED, RenderStatus.FAILED}:
            raise RenderNotCancellable
    return current
