"""Start the slots, look after them, and keep the queue going."""

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
# A slot that lived this long did not crash because it was started.
STABLE_AFTER_S = 5.0
MAX_BACKOFF_S = 10.0
# What a stopping slot gets beyond the grace of its job before it is killed.
KILL_AFTER_GRACE_S = 3.0


@dataclass(slots=True)
class SlotProcess:
    """A slot as its supervisor sees it. early_crashes: crashes in a row soon after the start."""

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
    def runs(self) -> bool:
        """Say whether there is a process."""
        return self.pid != 0


def plan_slots(queues: Sequence[str], concurrency: int) -> list[SlotProcess]:
    """Return a slot for each job at a time, and one more for the I/O queues, all of whose jobs it runs.

    concurrency: how many slots serve the other queues; none where there are none.
    """
    io = io_queues()
    own = [queue for queue in queues if queue not in io]
    slots = [SlotProcess(index=index, queues=own) for index in range(concurrency if own else 0)]
    waiting = [queue for queue in queues if queue in io]
    if waiting:
        slots.append(SlotProcess(index=len(slots), queues=waiting, slot_class=IoSlot))
    return slots


class Supervisor:
    """The process of `run_worker`.

    It never holds a database connection while it forks, as SQLite's locks do not survive that, and starts no thread.
    """

    def __init__(self, *, queues: Sequence[str], concurrency: int, drain: bool = False) -> None:
        """drain: leave when nothing is ready and nothing runs."""
        hostname = socket.gethostname()[:40]
        self.name = f"{hostname}:{os.getpid()}:{secrets.token_hex(4)}"
        self._queues = list(queues)
        self._drain = drain
        self._slots = plan_slots(self._queues, concurrency)
        # One slot for all that waits for others is never busy in the sense of the word that asks for more workers.
        counted = sum(slot.slot_class is WorkerSlot for slot in self._slots)
        self._deadlines = SharedDeadlines(len(self._slots), counted=counted)
        self._housekeeping = Housekeeping(
            worker=self.name, hostname=hostname, queues=self._queues, concurrency=counted, ticks=not drain
        )
        self._stop_at: float | None = None

    def run(self) -> None:
        """Work until told to stop, or until the queues are drained."""
        signals = SignalPipe()
        on_stop(self._stop)
        on_retire(self._retire)
        wake_on_child()
        # Its other end is closed by the kernel when this process ends, however it ends.
        self._lifeline, lifeline_writer = os.pipe()
        self._inherited = (signals, lifeline_writer)
        tracing.preload()
        self._housekeeping.start()
        logger.info("worker started", extra={"worker": self.name, "queues": self._queues})
        while self._stop_at is None or any(slot.runs for slot in self._slots):
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
            # Its last jobs may take an hour: until then it is a worker like any other, but for the claims.
            self._kill_overdue_slots()
            self._housekeeping.tick(busy=self._deadlines.count_busy())
        else:
            self._kill_stubborn_slots(self._stop_at)

    def _retire(self) -> None:
        """Have the slots finish what they are at, and leave after that."""
        if self._stop_at is None:
            self._stop_at = math.inf
            self._signal_slots(RETIRE_SIGNAL)

    def _stop(self) -> None:
        """Pass the signal on; a second one changes nothing."""
        if self._stop_at in {None, math.inf}:
            self._stop_at = time.monotonic() + settings.RENDEROWL_JOBS_GRACE_S + KILL_AFTER_GRACE_S
            self._signal_slots(signal.SIGTERM)

    def _signal_slots(self, number: signal.Signals) -> None:
        for slot in self._slots:
            if slot.runs:
                os.kill(slot.pid, number)

    def _start_missing_slots(self) -> None:
        now = time.monotonic()
        missing = [slot for slot in self._slots if not slot.runs and now >= slot.start_not_before]
        if missing:
            connections.close_all()
        for slot in missing:
            self._start(slot, now)

    def _start(self, slot: SlotProcess, now: float) -> None:
        slot.generation += 1
        slot.name = f"{self.name}/{slot.index}.{slot.generation}"
        slot.started_at = now
        # A signal between the fork and the child's own handlers would be lost: it waits until they stand.
        signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED_SIGNALS)
        sys.stdout.flush()
        sys.stderr.flush()
        slot.pid = os.fork()
        if slot.pid == 0:
            self._become_slot(slot)
        # Both sides do it, as either may be first to need it; the child may also be dead by now.
        with suppress(ProcessLookupError, PermissionError):
            os.setpgid(slot.pid, slot.pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED_SIGNALS)

    def _become_slot(self, slot: SlotProcess) -> None:
        """Turn this process, just forked, into a slot; it never returns."""
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
            # Not sys.exit: what the supervisor's frames would clean up is the supervisor's.
            os._exit(code)

    def _reap_dead_slots(self) -> None:
        for slot in self._slots:
            if slot.runs and self._has_ended(slot):
                self._schedule_restart(slot)
                self._recover_jobs(partial(services.requeue_lost_jobs, slot=slot.name))

    def _has_ended(self, slot: SlotProcess) -> bool:
        """Say whether the process is over; if so, what it started is killed before its number can be used again."""
        if os.waitid(os.P_PID, slot.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return False
        self._kill_and_wait(slot)
        return True

    def _kill_and_wait(self, slot: SlotProcess) -> None:
        # An empty group; some systems say "not permitted" of a group of zombies.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(slot.pid, signal.SIGKILL)
        os.waitpid(slot.pid, 0)
        self._deadlines.write(slot.index, IDLE)
        slot.pid = 0

    def _schedule_restart(self, slot: SlotProcess) -> None:
        """Start a slot that crashed again, at once the first time, then after growing waits."""
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
            if slot.runs and overdue_at != IDLE and now >= overdue_at:
                logger.error("slot killed: its attempt ran over time", extra={"slot": slot.name})
                self._kill_and_wait(slot)
                self._recover_jobs(partial(services.fail_timed_out, slot=slot.name))

    def _kill_stubborn_slots(self, stop_at: float) -> None:
        if time.monotonic() < stop_at:
            return
        for slot in self._slots:
            if slot.runs:
                logger.error("slot killed: it did not stop in time", extra={"slot": slot.name})
                self._kill_and_wait(slot)
                self._recover_jobs(partial(services.release_held_jobs, slot=slot.name))

    def _recover_jobs(self, action: Callable[[], object]) -> None:
        """Take back what a dead slot held. Where that fails, its lease runs out and the reaper does it."""
        try:
            action()
        except LeaseLost:
            logger.info("a dead slot's job was taken back by another worker")
        except Error:
            logger.exception("a dead slot's job could not be taken back")
            connections.close_all()
