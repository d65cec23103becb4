"""The supervisor: starts and monitors the slots of a worker, and runs the housekeeping."""

from __future__ import annotations

import logging
import math
import os
import secrets
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from django.conf import settings
from django.db import Error, connections

from core import tracing
from jobs import services
from jobs.exceptions import LeaseLost
from jobs.registry import io_queues
from jobs.worker.deadlines import IDLE, SharedDeadlines
from jobs.worker.housekeeping import Housekeeping
from jobs.worker.io_slot import IoSlot
from jobs.worker.signals import HANDLED_SIGNALS, RETIRE_SIGNAL, SignalPipe, on_retire, on_stop, wake_on_child
from jobs.worker.slot import SlotConfig, WorkerSlot

logger = logging.getLogger(__name__)

TICK_S = 0.25
DRAIN_TICK_S = 0.02
# A slot that ran this long did not crash on start.
STABLE_AFTER_S = 5.0
MAX_BACKOFF_S = 10.0
# Time for a slot to stop beyond the grace period of its job, before it is killed.
KILL_AFTER_GRACE_S = 3.0


@dataclass(slots=True)
class SlotProcess:
    """The supervisor's record of a slot. early_crashes: consecutive crashes soon after the start."""

    index: int
    queues: list[str]
    slot_class: type[WorkerSlot] | type[IoSlot] = WorkerSlot
    pid: int = 0
    name: str = ""
    started_at: float = 0.0
    generation: int = 0
    early_crashes: int = 0
    start_not_before: float = 0.0

    @property
    def is_running(self) -> bool:
        """Return whether the slot has a process."""
        return self.pid != 0


def plan_slots(queues: Sequence[str], concurrency: int) -> list[SlotProcess]:
    """Return `concurrency` slots for the ordinary queues, and one more for all I/O queues, if there are any of each."""
    io = io_queues()
    ordinary = [queue for queue in queues if queue not in io]
    slots = [SlotProcess(index=index, queues=ordinary) for index in range(concurrency if ordinary else 0)]
    io_bound = [queue for queue in queues if queue in io]
    if io_bound:
        slots.append(SlotProcess(index=len(slots), queues=io_bound, slot_class=IoSlot))
    return slots


class Supervisor:
    """The process of `run_worker`.

    It closes its database connections before it forks, as SQLite's locks do not survive a fork, and starts no threads.
    """

    def __init__(self, *, queues: Sequence[str], concurrency: int, drain: bool = False) -> None:
        """drain: exit when no job is ready or running."""
        hostname = socket.gethostname()[:40]
        self.name = f"{hostname}:{os.getpid()}:{secrets.token_hex(4)}"
        self._queues = list(queues)
        self._drain = drain
        self._slots = plan_slots(self._queues, concurrency)
        # The I/O slot has spare threads, so its jobs do not count as a busy slot.
        counted = sum(slot.slot_class is WorkerSlot for slot in self._slots)
        self._deadlines = SharedDeadlines(len(self._slots), counted=counted)
        self._housekeeping = Housekeeping(
            worker=self.name, hostname=hostname, queues=self._queues, concurrency=counted, tasks=not drain
        )
        self._stop_at: float | None = None

    def run(self) -> None:
        """Run until stopped, or until the queues are drained."""
        signals = SignalPipe()
        on_stop(self._stop)
        on_retire(self._retire)
        wake_on_child()
        # The kernel closes the write end when this process ends, even by SIGKILL.
        self._lifeline, lifeline_writer = os.pipe()
        self._inherited = (signals, lifeline_writer)
        tracing.preload()
        self._housekeeping.start()
        logger.info("worker started", extra={"worker": self.name, "queues": self._queues})
        while self._stop_at is None or any(slot.is_running for slot in self._slots):
            self._tick()
            select.select([signals.reader], [], [], DRAIN_TICK_S if self._drain else TICK_S)
            signals.drain()
        self._housekeeping.stop()
        connections.close_all()
        os.close(lifeline_writer)
        signals.close()
        logger.info("worker stopped", extra={"worker": self.name})

    def _tick(self) -> None:
        self._reap_dead_slots()
        if self._stop_at is None:
            self._start_missing_slots()
            self._kill_overdue_slots()
            self._housekeeping.tick(busy=self._deadlines.count_busy())
            if self._drain and self._housekeeping.is_drained():
                self._stop()
        elif self._stop_at == math.inf:
            # The last jobs may take an hour, so all but the claims continues.
            self._kill_overdue_slots()
            self._housekeeping.tick(busy=self._deadlines.count_busy())
        else:
            self._kill_unstopped_slots(self._stop_at)

    def _retire(self) -> None:
        """Let the slots finish their running jobs and exit."""
        if self._stop_at is None:
            self._stop_at = math.inf
            self._signal_slots(RETIRE_SIGNAL)

    def _stop(self) -> None:
        """Forward the signal to the slots; a second one has no effect."""
        if self._stop_at in {None, math.inf}:
            self._stop_at = time.monotonic() + settings.RENDEROWL_JOBS_GRACE_S + KILL_AFTER_GRACE_S
            self._signal_slots(signal.SIGTERM)

    def _signal_slots(self, number: signal.Signals) -> None:
        for slot in self._slots:
            if slot.is_running:
                os.kill(slot.pid, number)

    def _start_missing_slots(self) -> None:
        now = time.monotonic()
        missing = [slot for slot in self._slots if not slot.is_running and now >= slot.start_not_before]
        if missing:
            connections.close_all()
        for slot in missing:
            self._start(slot, now)

    def _start(self, slot: SlotProcess, now: float) -> None:
        slot.generation += 1
        slot.name = f"{self.name}/{slot.index}.{slot.generation}"
        slot.started_at = now
        # Blocks signals until the child has installed its handlers, or one in between would be lost.
        signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED_SIGNALS)
        sys.stdout.flush()
        sys.stderr.flush()
        slot.pid = os.fork()
        if slot.pid == 0:
            self._become_slot(slot)
        # Parent and child both set it, as either may need it first; the child may already be dead.
        with suppress(ProcessLookupError, PermissionError):
            os.setpgid(slot.pid, slot.pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED_SIGNALS)

    def _become_slot(self, slot: SlotProcess) -> None:
        """Run a slot in this forked child process; never returns."""
        code = 1
        try:
            os.setpgid(0, 0)
            signals, lifeline_writer = self._inherited
            signals.close()
            os.close(lifeline_writer)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            worker_slot = slot.slot_class(
                SlotConfig(slot.name, slot.index, slot.queues, self._deadlines, self._lifeline)
            )
            signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED_SIGNALS)
            tracing.start("worker")
            worker_slot.run()
            tracing.stop()
            code = 0
        except Exception:
            logger.exception("slot crashed", extra={"slot": slot.name})
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            # Not sys.exit, which would run the supervisor's cleanup in the child.
            os._exit(code)

    def _reap_dead_slots(self) -> None:
        for slot in self._slots:
            if slot.is_running and self._has_ended(slot):
                self._schedule_restart(slot)
                self._recover_jobs(partial(services.requeue_lost_jobs, slot=slot.name))

    def _has_ended(self, slot: SlotProcess) -> bool:
        """Return whether the process has ended; if so, kill its children before its pid can be reused."""
        if os.waitid(os.P_PID, slot.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return False
        self._kill_and_wait(slot)
        return True

    def _kill_and_wait(self, slot: SlotProcess) -> None:
        # The group may be empty; for a group of zombies some systems raise PermissionError.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(slot.pid, signal.SIGKILL)
        os.waitpid(slot.pid, 0)
        self._deadlines.write(slot.index, IDLE)
        slot.pid = 0

    def _schedule_restart(self, slot: SlotProcess) -> None:
        """Schedule the restart of a crashed slot: immediate the first time, then with exponential backoff."""
        if self._stop_at is not None:
            return
        now = time.monotonic()
        lived_s = now - slot.started_at
        slot.early_crashes = 0 if lived_s >= STABLE_AFTER_S else slot.early_crashes + 1
        wait_s = min(MAX_BACKOFF_S, 0.05 * 2**slot.early_crashes) if slot.early_crashes > 1 else 0.0
        slot.start_not_before = now + wait_s
        logger.warning("slot died", extra={"slot": slot.name, "lived_s": round(lived_s, 1)})

    def _kill_overdue_slots(self) -> None:
        now = time.monotonic()
        for slot in self._slots:
            overdue_at = self._deadlines.read(slot.index)
            if slot.is_running and overdue_at != IDLE and now >= overdue_at:
                logger.error("slot killed: its attempt timed out", extra={"slot": slot.name})
                self._kill_and_wait(slot)
                self._recover_jobs(partial(services.fail_timed_out, slot=slot.name))

    def _kill_unstopped_slots(self, stop_at: float) -> None:
        if time.monotonic() < stop_at:
            return
        for slot in self._slots:
            if slot.is_running:
                logger.error("slot killed: it did not stop in time", extra={"slot": slot.name})
                self._kill_and_wait(slot)
                self._recover_jobs(partial(services.release_held_jobs, slot=slot.name))

    def _recover_jobs(self, action: Callable[[], object]) -> None:
        """Recover the jobs of a dead slot; if that fails, the reaper does it when the lease expires."""
        try:
            action()
        except LeaseLost:
            logger.info("job of a dead slot was already recovered by another worker")
        except Error:
            logger.exception("recovering the jobs of a dead slot failed")
            connections.close_all()
