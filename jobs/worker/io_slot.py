"""The I/O slot: one process that runs many I/O-bound jobs concurrently."""

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
from jobs.states import AttemptOutcome
from jobs.tracing import attempt_context, end_attempt_span, start_attempt_span
from jobs.worker.claimer import Claimer
from jobs.worker.deadlines import IDLE
from jobs.worker.heartbeat import Heartbeat
from jobs.worker.listener import make_listener
from jobs.worker.runner import release_claimed_job, run_job
from jobs.worker.signals import SignalPipe, on_retire, on_stop
from jobs.worker.slot import DATABASE_ERROR_BACKOFF_S, OVERDUE_AFTER_S, SlotConfig

logger = logging.getLogger(__name__)

# Poll interval while the slot is stopping.
FALLBACK_POLL_S = 0.5


class QueuePool:
    """A queue with its own threads, so that slow jobs in one queue do not block another."""

    def __init__(self, *, slot: str, name: str, threads: int) -> None:
        self._claimer = Claimer(slot=slot, queues=[name], lease_s=settings.RENDEROWL_JOBS_LEASE_S)
        self._free = threads
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix=f"io-{name}")

    def claim(self) -> JobSnapshot | None:
        """Claim a job if a thread is free; else return None."""
        return self._claimer.claim() if self._free else None

    def start(self, work: Callable[[], Any]) -> Future[Any]:
        """Run the work in a thread, with the current context variables."""
        self._free -= 1
        return self._pool.submit(contextvars.copy_context().run, work)

    def release_thread(self) -> None:
        """Count a thread as free once its job is settled."""
        self._free += 1


@dataclass(frozen=True, slots=True)
class InFlightJob:
    """A job whose `perform` step runs in a thread or has ended. overdue_at: when the process is killed for it."""

    context: JobContext
    steps: IoSteps
    pool: QueuePool
    future: Future[Any]
    overdue_at: float
    span: Span

    def record(self, context: JobContext) -> dict[str, Any] | None:
        """Write the result of `perform`, or raise its exception."""
        return self.steps.record(context, self.future.result())


class IoSlot:
    """The main loop of an I/O slot, from fork to the stop signal.

    Only its main thread and the heartbeat use the database, so a hundred concurrent jobs need two connections, and no
    claim waits for a remote server.
    """

    def __init__(self, config: SlotConfig) -> None:
        self._config = config
        self._stop_by: float | None = None
        self._signals = SignalPipe()
        on_stop(self._stop)
        on_retire(self._retire)
        lease_s = settings.RENDEROWL_JOBS_LEASE_S
        self._heartbeat = Heartbeat(lease_s=lease_s, lifeline=config.lifeline, poll_cancel=False)
        threads = settings.RENDEROWL_JOBS_IO_THREADS
        self._pools = [QueuePool(slot=config.name, name=name, threads=threads) for name in config.queues]
        self._in_flight: dict[Future[Any], InFlightJob] = {}
        self._ended: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
        self._listener = make_listener()

    def run(self) -> None:
        """Claim and run jobs until stopped; then wait for jobs in flight, up to the grace period."""
        self._heartbeat.start()
        while self._stop_by is None or (self._in_flight and time.monotonic() < self._stop_by):
            try:
                self._step()
            except Error:
                logger.warning("slot cannot reach the database", exc_info=True, extra={"slot": self._config.name})
                connections.close_all()
                select.select([self._signals.reader], [], [], DATABASE_ERROR_BACKOFF_S)
            self._signals.drain()
        for in_flight in self._in_flight.values():
            release_claimed_job(in_flight.context.job)
            in_flight.context.set_outcome(AttemptOutcome.RELEASED)
            end_attempt_span(in_flight.context, in_flight.span)
        connections.close_all()

    def _step(self) -> None:
        """Settle ended jobs, start new ones on free threads, or wait for either."""
        self._listener.prepare()
        settled = self._settle_ended()
        claimed = 0
        if self._stop_by is None:
            # One job of each queue at a time, so that ended jobs are settled in between.
            claimed = sum(self._start_next(pool) for pool in self._pools)
        if settled or claimed:
            self._listener.found_work()
        elif self._stop_by is None:
            self._listener.wait(self._signals.reader)
        else:
            select.select([self._signals.reader], [], [], FALLBACK_POLL_S)

    def _start_next(self, pool: QueuePool) -> bool:
        job = pool.claim()
        if job is None:
            return False
        context = JobContext(job, watched=True)
        span = start_attempt_span(job)
        with attempt_context(job, span):
            try:
                steps = _steps_of(job)
                loaded = steps.load(context)
            except Exception as raised:  # noqa: BLE001 - run_job records it
                run_job(context, partial(_raise, raised), span=span)
            else:
                self._start(context, steps, pool, loaded, span)
        return True

    def _start(self, context: JobContext, steps: IoSteps, pool: QueuePool, loaded: Any, span: Span) -> None:
        self._heartbeat.watch(context)
        overdue_at = time.monotonic() + context.job.timeout_s + OVERDUE_AFTER_S
        future = pool.start(partial(_perform, steps, loaded))
        self._in_flight[future] = InFlightJob(context, steps, pool, future, overdue_at, span)
        self._note_overdue()
        future.add_done_callback(self._note_done)

    def _note_done(self, future: Future[Any]) -> None:
        # Called in the worker thread.
        self._ended.put(future)
        self._signals.wake()

    def _settle_ended(self) -> int:
        """Settle the jobs whose `perform` step has ended; return how many."""
        settled = 0
        while True:
            try:
                future = self._ended.get_nowait()
            except queue.Empty:
                return settled
            in_flight = self._in_flight.pop(future)
            try:
                run_job(in_flight.context, in_flight.record, span=in_flight.span)
            finally:
                self._heartbeat.forget(in_flight.context)
                in_flight.pool.release_thread()
                self._note_overdue()
            settled += 1

    def _note_overdue(self) -> None:
        """Share the earliest deadline with the supervisor."""
        first = min((in_flight.overdue_at for in_flight in self._in_flight.values()), default=IDLE)
        self._config.deadlines.write(self._config.index, first)

    def _retire(self) -> None:
        """Claim no more jobs; let the running ones finish."""
        if self._stop_by is None:
            self._stop_by = math.inf

    def _stop(self) -> None:
        """Claim no more jobs; give the running ones their grace period."""
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
        # `perform` should not use the database; if it did, each thread would keep a connection open.
        connections.close_all()
