"""Jobs: limits by key."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.races.threads import at_once


def work_under_a_limit() -> dict[str, Any]:
    """Enqueue, claim and finish 50 jobs of one key with a limit of 3."""
    from jobs import services, sql
    from jobs.models import Job
    from jobs.registry import Handler, handlers

    mine = Job.objects.filter(limit_key="race")
    seen: list[int] = []

    def work(index: int) -> str:
        services.enqueue(type="race.noop", queue="race", limit_key="race", limit_running=3)
        job = sql.claim(queue="race", worker=f"race/{index}", lease_s=60)
        seen.append(mine.filter(status__in=["queued", "running"]).count())
        if job is None:
            return "enqueued"
        services.finish(job=job)
        return "finished"

    with handlers.override(Handler(name="race.noop", run=lambda context: None)):
        outcomes = Counter(at_once(work))
        services.admit_blocked()
        left = 0
        while job := sql.claim(queue="race", worker="race/last", lease_s=60):
            services.finish(job=job)
            left += 1
    return {
        "most_at_work": max(seen),
        "failed": outcomes[""],
        "ended": outcomes["finished"] + left,
        "statuses": sorted(set(mine.values_list("status", flat=True))),
    }
