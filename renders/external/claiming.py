"""Claims of external workers."""

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

# Jobs whose render has already ended are skipped, at most so many in one claim.
MAX_TRIES = 10
TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class WorkerIdentity:
    """The claiming worker. key: None for a caller with an access token. pool: its secrets sign the reports."""

    name: str
    pool: str
    key: ApiKey | None = None

    @property
    def queue_name(self) -> str:
        """Return the worker's name in the queue and in the list of workers."""
        return f"external:{self.key.key_prefix if self.key else 'token'}:{self.name}"


@dataclass(frozen=True, slots=True)
class ExternalClaim:
    """A claimed render. token: the lease token, shown only in this claim."""

    render: Render
    job: JobSnapshot
    lease: ExternalLease
    token: str


def lease_s() -> float:
    """Return how long a worker may be silent before it loses the render."""
    seconds: int = settings.RENDEROWL_JOBS_LEASE_S
    return seconds


def digest_of(token: str) -> str:
    """Return the SHA-256 of a lease token, hexadecimal, as the row stores it."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def find_pool(name: str | None) -> str:
    """Return the pool of a worker. name: None for the only pool, or `default` if there are several.

    Raises InvalidState if no secrets are configured, PoolUnknown for a pool without secrets.
    """
    pools: dict[str, tuple[bytes, ...]] = settings.RENDEROWL_WORKER_SECRETS
    if not pools:
        raise InvalidState("This installation accepts no external workers: RENDER_WEBHOOK_SECRETS is empty.")
    if name is None:
        name = next(iter(pools)) if len(pools) == 1 else DEFAULT_POOL
    if name not in pools:
        raise PoolUnknown
    return name


def claim_render(*, worker: WorkerIdentity, queues: Sequence[str] | None = None) -> ExternalClaim | None:
    """Return the next render for a worker, or None if none is waiting.

    queues: those that the worker serves; only the queue of renders has work for external workers.
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
        # If this process dies here, the lease expires like that of any dead worker.
        if (claim := _take(job, worker)) is not None:
            return claim
    return None


def _take(job: JobSnapshot, worker: WorkerIdentity) -> ExternalClaim | None:
    """Begin the attempt. Returns None, and ends the job, if its render has ended or is being cancelled."""
    render_id = UUID(job.payload["render"])
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with transaction.atomic():
        render = start_attempt(render_id=render_id, attempt=job.attempt)
        if render is not None:
            # Leases of earlier attempts, whose workers were lost.
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
