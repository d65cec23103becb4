"""What keeps the queue going: due jobs, old rows, the list of workers."""

from __future__ import annotations

import uuid

from django.db import transaction
from django.db.models.functions import Now

from jobs import sql
from jobs.models import Worker
from jobs.notify import notify_workers_on_commit


def promote_due(*, limit: int = 1000) -> int:
    """Queue scheduled jobs that have become due; return how many."""
    if not sql.any_due():
        # Read before any transaction: SQLite's takes the write lock at BEGIN.
        return 0
    with transaction.atomic():
        promoted = sql.promote(limit=limit)
        if promoted:
            notify_workers_on_commit()
            for key in sql.list_admissible():
                sql.admit(key)
    return promoted


def admit_blocked() -> int:
    """Queue blocked jobs that there is room for; return how many.

    Whatever makes room admits the next at once. This is for what slipped through: two that came at one moment, a
    process that was killed between the two.
    """
    admitted = 0
    for key in sql.list_admissible():
        with transaction.atomic():
            admitted += sql.admit(key)
    return admitted


def record_worker_started(*, name: str, hostname: str, pid: int, queues: list[str], concurrency: int) -> uuid.UUID:
    """Add a worker to the list."""
    worker = Worker.objects.create(name=name, hostname=hostname, pid=pid, queues=queues, concurrency=concurrency)
    return worker.id


def record_heartbeat(*, worker_id: uuid.UUID, busy: int) -> None:
    """Say that a worker lives, and how many of its slots are busy."""
    Worker.objects.filter(pk=worker_id).update(last_seen_at=Now(), busy=busy)


def record_worker_stopped(*, worker_id: uuid.UUID) -> None:
    """Say that a worker has left in good order."""
    Worker.objects.filter(pk=worker_id).update(last_seen_at=Now(), stopped_at=Now(), busy=0)
