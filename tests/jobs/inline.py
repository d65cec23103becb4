"""Run jobs in the calling process, without threads, forks or signals: for tests and one-off commands."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from django.conf import settings

from jobs import services
from jobs.context import JobContext
from jobs.registry import known_queues
from jobs.worker.claimer import Claimer
from jobs.worker.runner import run_job


def run_pending(*, queues: Sequence[str] | None = None, limit: int = 1000) -> int:
    """Run due jobs in order until there are none or `limit` have run; return how many ran.

    queues: by default every queue of a registered handler. Leases are not renewed.
    """
    claimer = Claimer(
        slot=f"inline:{secrets.token_hex(6)}",
        queues=queues or known_queues(),
        lease_s=settings.RENDEROWL_JOBS_LEASE_S,
    )
    ran = 0
    while ran < limit:
        services.promote_due()
        job = claimer.claim()
        if job is None:
            break
        run_job(JobContext(job))
        ran += 1
    return ran
