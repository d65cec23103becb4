"""Housekeeping of the queue: promotion of due jobs, admission of blocked ones, rows of workers."""

from __future__ import annotations

import uuid

from django.db import transaction
from django.db.models.functions import Now

from jobs import sql
from jobs.models import Worker
from jobs.notify import notify_workers_on_commit


def promote_due(*, limit: int = 1000) -> int:
    """Queue scheduled jobs that are due; return how many."""
    if not sql.any_due():
        # Checked outside the transaction, as SQLite takes the write lock at BEGIN.
        return 0
    with transaction.atomic():
        promoted = sql.promote(limit=limit)
        if promoted:
            notify_workers_on_commit()
            for key in sql.list_admissible():
                sql.admit(key)
    return promoted


def admit_blocked() -> int:
    """Queue blocked jobs whose key is below its limit; return how many.

    An ended job admits the next itself; this catches those missed in a race or by a killed process.
    """
    admitted = 0
    for key in sql.list_admissible():
        with transaction.atomic():
            admitted += sql.admit(key)
    return admitted


def record_worker_started(*, name: str, hostname: str, pid: int, queues: list[str], concurrency: int) -> uuid.UUID:
    """Insert the row of a worker; return its id."""
    worker = Worker.objects.create(name=name, hostname=hostname, pid=pid, queues=queues, concurrency=concurrency)
    return worker.id


def record_heartbeat(*, worker_id: uuid.UUID, busy: int) -> None:
    """Record that a worker is alive, and how many of its slots are busy."""
    Worker.objects.filter(pk=worker_id).update(last_seen_at=Now(), busy=busy)


def record_worker_stopped(*, worker_id: uuid.UUID) -> None:
    """Record that a worker has stopped cleanly."""
    Worker.objects.filter(pk=worker_id).update(last_seen_at=Now(), stopped_at=Now(), busy=0)
