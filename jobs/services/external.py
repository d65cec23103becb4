"""Jobs of external workers, which have no access to this database: claimed, renewed and ended on their behalf.

They use the same rows, claims and fence as the slots of `run_worker`. The calling app authenticates the worker.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from jobs import sql
from jobs.exceptions import LeaseLost
from jobs.expressions import status_is
from jobs.models import Job, QueueState, Worker
from jobs.snapshot import JobSnapshot
from jobs.states import AttemptOutcome, JobStatus


def claim_external(*, queue: str, worker: str, lease_s: float) -> JobSnapshot | None:
    """Lease the next job of a queue to an external worker; None, without a write, if there is none.

    worker: the name stored in the claim; with the attempt number it is the fence.
    """
    if not sql.is_ready(queue):
        return None
    limited = QueueState.objects.filter(name=queue, max_running__isnull=False).exists()
    claim = sql.claim_limited if limited else sql.claim
    return claim(queue=queue, worker=worker, lease_s=lease_s)


def find_running_attempt(*, job_id: uuid.UUID, worker: str, attempt: int) -> JobSnapshot | None:
    """Return the job if this attempt is still running, else None."""
    job = Job.objects.filter(status_is(JobStatus.RUNNING), pk=job_id, worker=worker, attempts=attempt).first()
    return None if job is None else JobSnapshot.of(job)


def renew_lease(*, job: JobSnapshot, lease_s: float) -> bool:
    """Renew the lease of an attempt, and lock its row until the open transaction ends.

    Returns whether cancellation was requested. Raises LeaseLost.
    """
    cancel_requested = sql.renew(job, lease_s=lease_s)
    if cancel_requested is None:
        raise LeaseLost
    return cancel_requested


def is_overdue(*, job: JobSnapshot) -> bool:
    """Return whether the attempt has exceeded its timeout."""
    started_at = Job.objects.values_list("started_at", flat=True).get(pk=job.id)
    return started_at is not None and timezone.now() - started_at >= timedelta(seconds=job.timeout_s)


def complete_external(*, job: JobSnapshot, result: dict[str, Any]) -> None:
    """Record success in the caller's transaction, together with the job's effects.

    Raises LeaseLost, which rolls that transaction back; RuntimeError outside one.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("a job must be completed in the transaction that writes its effects")
    if not sql.end(job, JobStatus.SUCCEEDED, AttemptOutcome.SUCCEEDED, result=result):
        raise LeaseLost


def record_external_worker(*, name: str, hostname: str, queues: list[str]) -> None:
    """Create or refresh the row of an external worker, at most once per heartbeat interval."""
    fresh = timezone.now() - timedelta(seconds=Worker.HEARTBEAT_S)
    if Worker.objects.filter(name=name, last_seen_at__gt=fresh).exists():
        return
    busy = Job.objects.filter(status_is(JobStatus.RUNNING), worker=name).count()
    fields = {"hostname": hostname, "pid": 0, "queues": queues, "concurrency": max(1, busy), "busy": busy}
    Worker.objects.update_or_create(name=name, defaults={**fields, "last_seen_at": Now(), "stopped_at": None})
