"""Job handlers of renders."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings

from jobs.context import JobContext
from jobs.registry import handler
from jobs.snapshot import DeadJob, JobSnapshot
from renders import job_types
from renders.execution.attempt import run_render
from renders.execution.failures import error_of_dead
from renders.execution.folders import sweep_folders
from renders.external.pictures import make_pictures
from renders.models import Render
from renders.services.attempts import promote_due
from renders.services.batch_cancel import cancel_batch_renders
from renders.services.outcomes import close_cancelled, close_failed
from renders.services.storage import discard_files


def fail_dead_render(dead: DeadJob) -> None:
    """Fail the render of a dead job, refund it and release its holds."""
    found = Render.objects.without_large_columns().filter(pk=UUID(dead.payload["render"])).first()
    if found is not None:
        close_failed(render_id=found.pk, error=error_of_dead(found, dead))


def cancel_render_of(job: JobSnapshot) -> None:
    """Cancel the render of a cancelled job, refund it and release its holds."""
    close_cancelled(render_id=UUID(job.payload["render"]))


@handler(
    job_types.RENDER_JOB,
    on_dead=fail_dead_render,
    on_cancelled=cancel_render_of,
    queue=job_types.RENDER_QUEUE,
    max_attempts=3,
    timeout_s=settings.RENDEROWL_RENDER_TIMEOUT_S,
)
def render(context: JobContext) -> None:
    """Run one attempt at a render."""
    run_render(context)


@handler(job_types.DISCARD_JOB, timeout_s=300)
def discard(context: JobContext) -> dict[str, Any]:
    """Remove the stored files that a render no longer needs."""
    return {"removed": discard_files(render_id=UUID(context.job.payload["render"]))}


@handler(job_types.CANCEL_BATCH_JOB, timeout_s=300)
def cancel_batch(context: JobContext) -> None:
    """Cancel the remaining renders of a batch, if the request that started it has died."""
    cancel_batch_renders(batch_id=UUID(context.job.payload["batch"]))


@handler(job_types.PICTURES_JOB, timeout_s=300)
def make_missing_pictures(context: JobContext) -> dict[str, Any]:
    """Make the poster and thumbnail that an external worker did not upload."""
    return {"made": make_pictures(render_id=UUID(context.job.payload["render"]))}


@handler(job_types.HOUSEKEEPING_JOB, max_attempts=1, timeout_s=300, cron="*/5 * * * *", schedule="renders-housekeeping")
def run_housekeeping(context: JobContext) -> dict[str, Any]:
    """Queue due scheduled renders, and remove the work folders of killed workers."""
    return {"promoted": promote_due(), "swept": sweep_folders()}
