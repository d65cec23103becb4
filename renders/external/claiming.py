"""Give a render to an external worker."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.models import ApiKey
from core.exceptions import InvalidState
from jobs.services import cancel_attempt, claim_external, finish, record_external_worker, release_job
from jobs.snapshot import JobSnapshot
from renders.exceptions import PoolUnknown
from renders.external.pools import DEFAULT_POOL
from renders.job_types import RENDER_JOB, RENDER_QUEUE
from renders.models import ExternalLease, Render
from renders.services.attempts import start_attempt
from renders.states import RenderStatus

# A claim may meet jobs whose render has ended meanwhile; more of them in a row than this wait for the next claim.
MAX_TRIES = 10
TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class WorkerIdentity:
    """Who claims. key: None for a caller with an access token; pool: whose secrets sign its reports."""

    name: str
    pool: str
    key: ApiKey | None = None

    @property
    def queue_name(self) -> str:
        """Return the name that claims carry in the queue, and the list of workers shows."""
        return f"external:{self.key.key_prefix if self.key else 'token'}:{self.name}"


@dataclass(frozen=True, slots=True)
class ExternalClaim:
    """A render that a worker has now. token: shown to it once."""

    render: Render
    job: JobSnapshot
    lease: ExternalLease
    token: str


def lease_s() -> float:
    """Return for how long a worker may be silent."""
    seconds: int = settings.RENDEROWL_JOBS_LEASE_S
    return seconds


def digest_of(token: str) -> str:
    """Return what is stored of a lease token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def find_pool(name: str | None) -> str:
    """Return the pool that a worker belongs to; the only one there is where it names none.

    Raises InvalidState where no worker could sign anything, PoolUnknown for a pool without secrets.
    """
    pools: dict[str, tuple[bytes, ...]] = settings.RENDEROWL_WORKER_SECRETS
    if not pools:
        raise InvalidState("This installation takes no reports of external workers: RENDER_WEBHOOK_SECRETS is empty.")
    if name is None:
        name = next(iter(pools)) if len(pools) == 1 else DEFAULT_POOL
    if name not in pools:
        raise PoolUnknown
    return name


def claim_render(*, worker: WorkerIdentity, queues: Sequence[str] | None = None) -> ExternalClaim | None:
    """Return the next render for a worker, or None where there is nothing to do.

    queues: those that the worker serves; only that of renders has work for it.
    """
    record_external_worker(name=worker.queue_name, hostname=worker.name, queues=[RENDER_QUEUE])
    if queues is not None and RENDER_QUEUE not in queues:
        return None
    for _ in range(MAX_TRIES):
        job = claim_external(queue=RENDER_QUEUE, worker=worker.queue_name, lease_s=lease_s())
        if job is None:
            return None
        if job.type != RENDER_JOB:
            release_job(job=job)
            return None
        # Should this process die here, the lease just taken runs out like that of any dead worker.
        if (claim := _take(job, worker)) is not None:
            return claim
    return None


def _take(job: JobSnapshot, worker: WorkerIdentity) -> ExternalClaim | None:
    """Begin the attempt; None where there is nothing left to render, which ends the job."""
    render_id = UUID(job.payload["render"])
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with transaction.atomic():
        render = start_attempt(render_id=render_id, attempt=job.attempt)
        if render is not None:
            # Those of workers that were lost; their jobs' rows have told them already.
            ExternalLease.objects.filter(render=render, ended_at=None).update(ended_at=timezone.now())
            lease = ExternalLease.objects.create(
                render=render,
                job_id=job.id,
                attempt=job.attempt,
                worker=worker.queue_name,
                pool=worker.pool,
                token_digest=digest_of(token),
            )
            return ExternalClaim(render, job, lease, token)
    if Render.objects.filter(pk=render_id, status=RenderStatus.CANCELLING).exists():
        cancel_attempt(job=job)
    else:
        finish(job=job)
    return None
