"""Stop renders."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from jobs.services import request_cancel
from renders.exceptions import RenderNotCancellable
from renders.models import Render
from renders.services.outcomes import close_cancelled
from renders.services.transitions import change_status
from renders.states import RUNNING, WAITING, RenderStatus


def cancel_render(*, render: Render) -> Render:
    """Cancel a render: at once while it waits, within seconds while it runs. Repeating it changes nothing.

    Raises RenderNotCancellable if it has succeeded or failed.
    """
    with transaction.atomic():
        if not _cancel_waiting(render.pk):
            change_status(
                render_id=render.pk,
                to=RenderStatus.CANCELLING,
                only_from=RUNNING,
                cancel_requested_at=timezone.now(),
            )
        current: Render = Render.objects.get(pk=render.pk)
        if current.status in {RenderStatus.SUCCEEDED, RenderStatus.FAILED}:
            raise RenderNotCancellable
        if current.job_id is not None:
            request_cancel(job_id=current.job_id)
    return current


def _cancel_waiting(render_id: UUID) -> bool:
    return close_cancelled(render_id=render_id, only_from=WAITING, cancel_requested_at=timezone.now())
