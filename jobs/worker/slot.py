"""One process that runs one job at a time."""

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
from jobs.worker.board import IDLE, Board
from jobs.worker.claiming import Claimer
from jobs.worker.heartbeat import Heartbeat
from jobs.worker.idle import make_idle
from jobs.worker.runner import give_back, run_job
from jobs.worker.signals import SignalPipe, on_retire, on_stop

logger = logging.getLogger(__name__)

# A handler that calls `check` ends by itself at its time-out; only past this is its process killed.
OVERDUE_AFTER_S = 5.0
AFTER_DATABASE_ERROR_S = 1.0


@dataclass(frozen=True, slots=True)
class SlotPlan:
    """What a slot needs to know. name: unlike that of any slot before; index: its cell on the board."""

    name: str
    index: int
    queues: Sequence[str]
    board: Board
    lifeline: int


class Slot:
    """The life of a slot, from fork to the signal to stop."""

    def __init__(self, plan: SlotPlan) -> None:
        self._plan = plan
        self._stopping = False
        self._has_grace = False
        self._context: JobContext | None = None
        self._signals = SignalPipe()
        on_stop(self._stop)
        on_retire(self._retire)
        self._heartbeat = Heartbeat(lease_s=settings.RENDEROWL_JOBS_LEASE_S, lifeline=plan.lifeline)
        self._claimer = Claimer(slot=plan.name, queues=plan.queues, lease_s=settings.RENDEROWL_JOBS_LEASE_S)
        self._idle = make_idle()

    def run(self) -> None:
        """Claim and run jobs until told to stop."""
        self._heartbeat.start()
        while not self._stopping:
            try:
                self._step()
            except Error:
                logger.warning("slot cannot reach the database", exc_info=True, extra={"slot": self._plan.name})
                connections.close_all()
                select.select([self._signals.reader], [], [], AFTER_DATABASE_ERROR_S)
        connections.close_all()

    def _step(self) -> None:
        """Run the next job, or wait for one."""
        self._idle.prepare()
        job = self._claimer.claim()
        if job is None:
            self._idle.wait(self._signals.reader)
        elif self._stopping:
            give_back(job)
        else:
            self._run(job)
            self._idle.found_work()

    def _run(self, job: JobSnapshot) -> None:
        context = JobContext(job, watched=True)
        self._plan.board.write(self._plan.index, time.monotonic() + job.timeout_s + OVERDUE_AFTER_S)
        self._heartbeat.watch(context)
        self._context = context
        if self._has_grace:
            # The signal came between the claim and the line above, and found no attempt to tell.
            self._stop()
        try:
            run_job(context)
        finally:
            self._context = None
            self._heartbeat.forget(context)
            self._plan.board.write(self._plan.index, IDLE)

    def _retire(self) -> None:
        """Claim no more; let the job at hand come to its end."""
        self._stopping = True

    def _stop(self) -> None:
        """Claim no more; give the job at hand its grace."""
        self._stopping = self._has_grace = True
        context = self._context
        if context is not None:
            context.stop_by(time.monotonic() + settings.RENDEROWL_JOBS_GRACE_S)
