"""What the supervisor does for the queue between looks at its slots."""

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
    """Something to do every so often."""

    every_s: float
    action: Callable[[], object]
    due_at: float = field(default=float("-inf"))


class Housekeeping:
    """Promotes, admits, reaps, fires schedules, reports the worker, and does what other apps registered.

    Every worker does all of it, without a leader: each step is safe to race.
    """

    def __init__(self, *, worker: str, hostname: str, queues: list[str], concurrency: int, ticks: bool = True) -> None:
        """ticks: whether to do what other apps registered; a worker that only drains the queues leaves it to others."""
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
        for task in periodic_tasks.by_name() if ticks else ():
            self._tasks.append(IntervalTask(task.every_s(), partial(self._run_periodic_task, task)))

    def start(self) -> None:
        """Announce the worker and take up the schedules of this version of the program."""
        self._try(services.sync_schedules)
        self._try(lambda: services.ensure_queues(names=self._queues))
        self._try(self._report)

    def tick(self, *, busy: int) -> None:
        """Do what is due. busy: how many slots have a job."""
        self._busy = busy
        now = time.monotonic()
        if now < self._paused_until:
            return
        for task in self._tasks:
            if now >= task.due_at:
                task.due_at = now + task.every_s
                if not self._try(task.action):
                    # With the database away, the rest would fail as well, five times a second.
                    self._paused_until = time.monotonic() + ERROR_BACKOFF_S
                    return
        reset_queries()

    def is_drained(self) -> bool:
        """Say whether nothing is ready and nothing runs in the worker's queues."""
        try:
            return not has_work(self._queues)
        except Error:
            logger.exception("the queue could not be read")
            connections.close_all()
            return False

    def stop(self) -> None:
        """Take the worker off the list of those alive."""
        worker_id = self._worker_id
        if worker_id is not None:
            self._try(lambda: services.record_worker_stopped(worker_id=worker_id))

    def _run_periodic_task(self, task: PeriodicTask) -> None:
        try:
            task.run(self._worker)
        except Error:
            raise
        except Exception:
            # The worker's edge: what another app does wrong must not end the worker.
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
        """Do it now, or at its next turn if the database is busy or gone; say whether it was done."""
        try:
            action()
        except Error:
            logger.exception("housekeeping of the queue failed")
            connections.close_all()
            return False
        return True
