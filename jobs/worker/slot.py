"""A worker slot: a process that runs one job at a time."""

from __future__ import annotations

import logging
import select
import time
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import Error, connections

from jobs.context import JobContext
from jobs.snapshot import JobSnapshot
from jobs.worker.claimer import Claimer
from jobs.worker.deadlines import IDLE, SharedDeadlines
from jobs.worker.heartbeat import Heartbeat
from jobs.worker.listener import make_listener
from jobs.worker.runner import release_claimed_job, run_job
from jobs.worker.signals import SignalPipe, on_retire, on_stop

logger = logging.getLogger(__name__)

# Time after the timeout until the process is killed; a handler that calls `check` stops itself before.
OVERDUE_AFTER_S = 5.0
DATABASE_ERROR_BACKOFF_S = 1.0


@dataclass(frozen=True, slots=True)
class SlotConfig:
    """Configuration of a slot. name: unique over time; index: its cell in the shared deadlines."""

    name: str
    index: int
    queues: Sequence[str]
    deadlines: SharedDeadlines
    lifeline: int


class WorkerSlot:
    """The main loop of a slot, from fork to the stop signal."""

    def __init__(self, config: SlotConfig) -> None:
        self._config = config
        self._stopping = False
        self._has_grace = False
        self._context: JobContext | None = None
        self._signals = SignalPipe()
        on_stop(self._stop)
        on_retire(self._retire)
        self._heartbeat = Heartbeat(lease_s=settings.RENDEROWL_JOBS_LEASE_S, lifeline=config.lifeline)
        self._claimer = Claimer(slot=config.name, queues=config.queues, lease_s=settings.RENDEROWL_JOBS_LEASE_S)
        self._listener = make_listener()

    def run(self) -> None:
        """Claim and run jobs until stopped."""
        self._heartbeat.start()
        while not self._stopping:
            try:
                self._step()
            except Error:
                logger.warning("slot cannot reach the database", exc_info=True, extra={"slot": self._config.name})
                connections.close_all()
                select.select([self._signals.reader], [], [], DATABASE_ERROR_BACKOFF_S)
        connections.close_all()

    def _step(self) -> None:
        self._listener.prepare()
        job = self._claimer.claim()
        if job is None:
            self._listener.wait(self._signals.reader)
        elif self._stopping:
            release_claimed_job(job)
        else:
            self._run(job)
            self._listener.found_work()

    def _run(self, job: JobSnapshot) -> None:
        context = JobContext(job, watched=True)
        self._config.deadlines.write(self._config.index, time.monotonic() + job.timeout_s + OVERDUE_AFTER_S)
        self._heartbeat.watch(context)
        self._context = context
        if self._has_grace:
            # The signal arrived after the claim but before the context was set.
            self._stop()
        try:
            run_job(context)
        finally:
            self._context = None
            self._heartbeat.forget(context)
            self._config.deadlines.write(self._config.index, IDLE)

    def _retire(self) -> None:
        """Claim no more jobs; let the running one finish."""
        self._stopping = True

    def _stop(self) -> None:
        """Claim no more jobs; give the running one its grace period."""
        self._stopping = self._has_grace = True
        context = self._context
        if context is not None:
            context.stop_by(time.monotonic() + settings.RENDEROWL_JOBS_GRACE_S)
