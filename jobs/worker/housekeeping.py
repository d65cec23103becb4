"""Housekeeping of the supervisor: maintains the queue and runs periodic tasks."""

from __future__ import annotations

import logging
import os
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from django.db import Error, connections, reset_queries

from jobs import services
from jobs.models import Worker
from jobs.registry import PeriodicTask, periodic_tasks
from jobs.selectors import has_work

logger = logging.getLogger(__name__)

ERROR_BACKOFF_S = 2.0


@dataclass(slots=True)
class IntervalTask:
    """An action that runs at an interval."""

    every_s: float
    action: Callable[[], object]
    due_at: float = field(default=float("-inf"))


class Housekeeping:
    """Promotes, admits, reaps, fires schedules, reports the worker, and runs registered periodic tasks.

    Every worker does all of this, without a leader, as each step is safe to race.
    """

    def __init__(self, *, worker: str, hostname: str, queues: list[str], concurrency: int, tasks: bool = True) -> None:
        """tasks: run the registered periodic tasks; False for a worker that only drains its queues."""
        self._worker = worker
        self._hostname = hostname
        self._queues = queues
        self._concurrency = concurrency
        self._worker_id: uuid.UUID | None = None
        self._busy = 0
        self._paused_until = float("-inf")
        self._tasks = [
            IntervalTask(0.2, services.promote_due),
            IntervalTask(1.0, services.admit_blocked),
            IntervalTask(1.0, services.reap_expired),
            IntervalTask(1.0, services.fire_due_schedules),
            IntervalTask(Worker.HEARTBEAT_S, self._report),
        ]
        for task in periodic_tasks.by_name() if tasks else ():
            self._tasks.append(IntervalTask(task.every_s(), partial(self._run_periodic_task, task)))

    def start(self) -> None:
        """Insert the worker's row, and sync schedules and queues with the code."""
        self._try(services.sync_schedules)
        self._try(lambda: services.ensure_queues(names=self._queues))
        self._try(self._report)

    def tick(self, *, busy: int) -> None:
        """Run the actions that are due. busy: the number of slots with a job."""
        self._busy = busy
        now = time.monotonic()
        if now < self._paused_until:
            return
        for task in self._tasks:
            if now >= task.due_at:
                task.due_at = now + task.every_s
                if not self._try(task.action):
                    # Without the database the rest would fail as well, five times a second.
                    self._paused_until = time.monotonic() + ERROR_BACKOFF_S
                    return
        reset_queries()

    def is_drained(self) -> bool:
        """Return whether the worker's queues have no ready or running jobs."""
        try:
            return not has_work(self._queues)
        except Error:
            logger.exception("checking for remaining jobs failed")
            connections.close_all()
            return False

    def stop(self) -> None:
        """Record that the worker has stopped."""
        worker_id = self._worker_id
        if worker_id is not None:
            self._try(lambda: services.record_worker_stopped(worker_id=worker_id))

    def _run_periodic_task(self, task: PeriodicTask) -> None:
        try:
            task.run(self._worker)
        except Error:
            raise
        except Exception:
            # An error in another app's task must not end the worker.
            logger.exception("periodic task failed", extra={"periodic_task": task.name})

    def _report(self) -> None:
        if self._worker_id is not None:
            services.record_heartbeat(worker_id=self._worker_id, busy=self._busy)
            return
        self._worker_id = services.record_worker_started(
            name=self._worker,
            hostname=self._hostname,
            pid=os.getpid(),
            queues=self._queues,
            concurrency=self._concurrency,
        )

    def _try(self, action: Callable[[], object]) -> bool:
        """Run the action; return False if the database is busy or unavailable, to try again at the next interval."""
        try:
            action()
        except Error:
            logger.exception("housekeeping of the queue failed")
            connections.close_all()
            return False
        return True
