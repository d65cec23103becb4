"""One process that runs many jobs at a time, all of which mostly wait for somebody else's computer."""

from __future__ import annotations

import contextvars
import logging
import math
import queue
import select
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.conf import settings
from django.db import Error, connections
from opentelemetry.trace import Span

from jobs.context import JobContext
from jobs.registry import IoSteps, get_handler
from jobs.snapshot import JobSnapshot
from jobs.states import Outcome
from jobs.tracing import attempting, begin_attempt, end_attempt
from jobs.worker.board import IDLE
from jobs.worker.claiming import Claimer
from jobs.worker.heartbeat import Heartbeat
from jobs.worker.idle import make_idle
from jobs.worker.runner import give_back, run_job
from jobs.worker.signals import SignalPipe, on_retire, on_stop
from jobs.worker.slot import AFTER_DATABASE_ERROR_S, OVERDUE_AFTER_S, SlotPlan

logger = logging.getLogger(__name__)

# While it stops, or every thread is taken, the process looks about this often even if nothing wakes it.
LOOK_ANYWAY_S = 0.5


class Lane:
    """One queue with threads of its own, so that a queue full of slow work keeps no other waiting."""

    def __init__(self, *, slot: str, name: str, threads: int) -> None:
        self._claimer = Claimer(slot=slot, queues=[name], lease_s=settings.RENDEROWL_JOBS_LEASE_S)
        self._free = threads
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix=f"io-{name}")

    def claim(self) -> JobSnapshot | None:
        """Return a job that there is a thread for, or None."""
        return self._claimer.claim() if self._free else None

    def start(self, work: Callable[[], Any]) -> Future[Any]:
        """Do it in a thread."""
        self._free -= 1
        return self._pool.submit(contextvars.copy_context().run, work)

    def give_back_thread(self) -> None:
        """Say that the work of a thread has been dealt with."""
        self._free += 1


@dataclass(frozen=True, slots=True)
class Begun:
    """A job whose slow part runs in a thread, or has ended there.

    overdue_at: when the process is killed for it. span: of the whole attempt.
    """

    context: JobContext
    steps: IoSteps
    lane: Lane
    future: Future[Any]
    overdue_at: float
    span: Span

    def settle(self, context: JobContext) -> dict[str, Any] | None:
        """Write what came of the slow part, or raise what it raised."""
        return self.steps.settle(context, self.future.result())


class IoSlot:
    """The life of such a process, from fork to the signal to stop.

    All that touches the database happens in its one main thread: a hundred waiting jobs need two connections, the
    other for the heartbeat, and no claim waits for a stranger's server.
    """

    def __init__(self, plan: SlotPlan) -> None:
        self._plan = plan
        self._stop_by: float | None = None
        self._signals = SignalPipe()
        on_stop(self._stop)
        on_retire(self._retire)
        lease_s = settings.RENDEROWL_JOBS_LEASE_S
        self._heartbeat = Heartbeat(lease_s=lease_s, lifeline=plan.lifeline, listens=False)
        threads = settings.RENDEROWL_JOBS_IO_THREADS
        self._lanes = [Lane(slot=plan.name, name=name, threads=threads) for name in plan.queues]
        self._begun: dict[Future[Any], Begun] = {}
        self._ended: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
        self._idle = make_idle()

    def run(self) -> None:
        """Claim and run jobs until told to stop; then wait for those begun, as long as the grace allows."""
        self._heartbeat.start()
        while self._stop_by is None or (self._begun and time.monotonic() < self._stop_by):
            try:
                self._step()
            except Error:
                logger.warning("slot cannot reach the database", exc_info=True, extra={"slot": self._plan.name})
                connections.close_all()
                select.select([self._signals.reader], [], [], AFTER_DATABASE_ERROR_S)
            self._signals.drain()
        for begun in self._begun.values():
            give_back(begun.context.job)
            begun.context.note_outcome(Outcome.HANDED_BACK)
            end_attempt(begun.context, begun.span)
        connections.close_all()

    def _step(self) -> None:
        """Settle what has ended, begin what there is a thread for, or wait for either."""
        self._idle.prepare()
        settled = self._settle_ended()
        claimed = 0
        if self._stop_by is None:
            # One of each queue at a time: what has ended frees threads, and is not to wait for a long queue.
            claimed = sum(self._begin_next(lane) for lane in self._lanes)
        if settled or claimed:
            self._idle.found_work()
        elif self._stop_by is None:
            self._idle.wait(self._signals.reader)
        else:
            select.select([self._signals.reader], [], [], LOOK_ANYWAY_S)

    def _begin_next(self, lane: Lane) -> bool:
        job = lane.claim()
        if job is None:
            return False
        context = JobContext(job, watched=True)
        span = begin_attempt(job)
        with attempting(job, span):
            try:
                steps = _steps_of(job)
                loaded = steps.load(context)
            except Exception as raised:  # noqa: BLE001 - the edge of the worker
                # Raised again where the runner turns whatever a handler raises into the end of the attempt.
                run_job(context, partial(_raise, raised), span=span)
            else:
                self._start(context, steps, lane, loaded, span)
        return True

    def _start(self, context: JobContext, steps: IoSteps, lane: Lane, loaded: Any, span: Span) -> None:
        self._heartbeat.watch(context)
        overdue_at = time.monotonic() + context.job.timeout_s + OVERDUE_AFTER_S
        future = lane.start(partial(_perform, steps, loaded))
        self._begun[future] = Begun(context, steps, lane, future, overdue_at, span)
        self._note_overdue()
        future.add_done_callback(self._note_ended)

    def _note_ended(self, future: Future[Any]) -> None:
        """Tell the main thread; called in the thread of the work."""
        self._ended.put(future)
        self._signals.wake()

    def _settle_ended(self) -> int:
        """Write what came of the work that has ended by now; return of how much."""
        settled = 0
        while True:
            try:
                future = self._ended.get_nowait()
            except queue.Empty:
                return settled
            begun = self._begun.pop(future)
            try:
                run_job(begun.context, begun.settle, span=begun.span)
            finally:
                self._heartbeat.forget(begun.context)
                begun.lane.give_back_thread()
                self._note_overdue()
            settled += 1

    def _note_overdue(self) -> None:
        """Tell the supervisor when the first of the jobs will be over its time."""
        first = min((begun.overdue_at for begun in self._begun.values()), default=IDLE)
        self._plan.board.write(self._plan.index, first)

    def _retire(self) -> None:
        """Claim no more; let the jobs at hand come to their end."""
        if self._stop_by is None:
            self._stop_by = math.inf

    def _stop(self) -> None:
        """Claim no more; give the jobs at hand their grace."""
        if self._stop_by in {None, math.inf}:
            self._stop_by = time.monotonic() + settings.RENDEROWL_JOBS_GRACE_S


def _steps_of(job: JobSnapshot) -> IoSteps:
    steps = get_handler(job.type).io
    if steps is None:
        raise TypeError(f"jobs of type {job.type!r} cannot run in an I/O queue")
    return steps


def _raise(raised: Exception, context: JobContext) -> None:
    raise raised


def _perform(steps: IoSteps, loaded: Any) -> Any:
    try:
        return steps.perform(loaded)
    finally:
        # It should have opened none; one that stays open would be one for each thread.
        connections.close_all()
