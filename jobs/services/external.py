"""Jobs that are done by programs without access to this database: claimed, kept and ended on their behalf.

The same rows, the same claim and the same fence as for a slot of `run_worker`. Who speaks for such a program proves to
the app above that it is the attempt's, and calls these.
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
    """Lease the best queued job of a queue to an external worker; None where there is nothing to do.

    worker: the name that the claim carries; with the number of the attempt it fences the writes of others.
    Where it returns None, nothing was written: an idle program costs the writers here nothing.
    """
    if not sql.is_ready(queue):
        return None
    limited = QueueState.objects.filter(name=queue, max_running__isnull=False).exists()
    claim = sql.claim_limited if limited else sql.claim
    return claim(queue=queue, worker=worker, lease_s=lease_s)


def find_running_attempt(*, job_id: uuid.UUID, worker: str, attempt: int) -> JobSnapshot | None:
    """Return the job if this attempt of it still runs."""
    job = Job.objects.filter(status_is(JobStatus.RUNNING), pk=job_id, worker=worker, attempts=attempt).first()
    return None if job is None else JobSnapshot.of(job)


def renew_lease(*, job: JobSnapshot, lease_s: float) -> bool:
    """Renew the lease of an attempt, and hold the row until the open transaction ends.

    Returns whether the job is to be cancelled. Raises LeaseLost.
    """
    cancel_requested = sql.renew(job, lease_s=lease_s)
    if cancel_requested is None:
        raise LeaseLost
    return cancel_requested


def is_overdue(*, job: JobSnapshot) -> bool:
    """Return whether the attempt has run longer than it may."""
    began = Job.objects.values_list("started_at", flat=True).get(pk=job.id)
    return began is not None and timezone.now() - began >= timedelta(seconds=job.timeout_s)


def complete_external(*, job: JobSnapshot, result: dict[str, Any]) -> None:
    """Record success in the caller's transaction, together with the job's effects.

    Raises LeaseLost, which undoes that transaction; RuntimeError outside one.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("the end of a job belongs into the transaction that writes its effects")
    if not sql.end(job, JobStatus.SUCCEEDED, AttemptOutcome.SUCCEEDED, result=result):
        raise LeaseLost


def record_external_worker(*, name: str, hostname: str, queues: list[str]) -> None:
    """Show an external worker in the list of workers; written at most once a heartbeat."""
    fresh = timezone.now() - timedelta(seconds=Worker.HEARTBEAT_S)
    if Worker.objects.filter(name=name, last_seen_at__gt=fresh).exists():
        return
    busy = Job.objects.filter(status_is(JobStatus.RUNNING), worker=name).count()
    terms = {"hostname": hostname, "pid": 0, "queues": queues, "concurrency": max(1, busy)}
    Worker.objects.update_or_create(
        name=name, defaults={**terms, "busy": busy, "last_seen_at": Now(), "stopped_at": None}
    )
