"""The worker processes of one autoscaler."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from django.conf import settings

from jobs.models import Worker
from jobs.processes import die_with_parent
from jobs.worker.signals import RETIRE_SIGNAL

logger = logging.getLogger(__name__)

PROGRAM = [sys.executable, str(settings.BASE_DIR / "manage.py"), "run_worker"]
# A worker that ran this long did not crash on start.
STABLE_AFTER_S = 10.0
MAX_BACKOFF_S = 30.0
# Time to stop beyond the grace period of its jobs; the worker kills its own slots before that.
KILL_AFTER_GRACE_S = 8.0


@dataclass(slots=True)
class WorkerProcess:
    """A `run_worker` process. retiring: it finishes its jobs, and no longer counts as active."""

    process: subprocess.Popen[bytes]
    started_at: float
    retiring: bool = False


class Fleet:
    """Keeps a target number of workers, with at most `max_workers` processes including retiring ones."""

    def __init__(self, *, max_workers: int, arguments: Sequence[str]) -> None:
        self._max_workers = max_workers
        self._command = [*PROGRAM, *arguments]
        self._processes: list[WorkerProcess] = []
        self._early_crashes = 0
        self._start_not_before = float("-inf")

    @property
    def active(self) -> int:
        """Return how many workers claim jobs."""
        return sum(not worker.retiring for worker in self._processes)

    @property
    def retiring(self) -> int:
        """Return how many workers are finishing their last jobs."""
        return sum(worker.retiring for worker in self._processes)

    def adjust(self, target: int) -> None:
        """Start or retire workers to reach `target`; replace dead ones."""
        self._reap_exited()
        surplus = self.active - target
        if surplus > 0:
            self._retire(surplus)
        while (
            self.active < target
            and len(self._processes) < self._max_workers
            and time.monotonic() >= self._start_not_before
        ):
            self._start()

    def stop(self) -> None:
        """Stop all workers with SIGTERM; after their grace period, running jobs are released and workers killed."""
        for worker in self._processes:
            if worker.process.poll() is None:
                worker.process.terminate()
        until = time.monotonic() + settings.RENDEROWL_JOBS_GRACE_S + KILL_AFTER_GRACE_S
        for worker in self._processes:
            with suppress(subprocess.TimeoutExpired):
                worker.process.wait(max(0.1, until - time.monotonic()))
            if worker.process.poll() is None:
                logger.error("worker killed: it did not stop in time", extra={"pid": worker.process.pid})
                # Its slots end themselves when it is gone.
                worker.process.kill()
                worker.process.wait()
        self._processes.clear()

    def _start(self) -> None:
        # A new session: Ctrl-C at the terminal reaches only the autoscaler, which stops the workers itself.
        process = subprocess.Popen(
            self._command,
            cwd=settings.BASE_DIR,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            # Orphaned workers would add to those of the next autoscaler.
            preexec_fn=die_with_parent,  # noqa: PLW1509 - no threads here
        )
        self._processes.append(WorkerProcess(process, time.monotonic()))
        logger.info("worker process started", extra={"pid": process.pid})

    def _reap_exited(self) -> None:
        for worker in list(self._processes):
            code = worker.process.poll()
            if code is None:
                continue
            self._processes.remove(worker)
            if worker.retiring:
                logger.info("worker process retired", extra={"pid": worker.process.pid})
                continue
            lived_s = time.monotonic() - worker.started_at
            logger.warning(
                "worker process died", extra={"pid": worker.process.pid, "code": code, "lived_s": round(lived_s, 1)}
            )
            self._early_crashes = self._early_crashes + 1 if lived_s < STABLE_AFTER_S else 0
            # The first replacement is immediate; repeated early crashes back off.
            wait_s = min(MAX_BACKOFF_S, 0.5 * 2**self._early_crashes) if self._early_crashes > 1 else 0.0
            self._start_not_before = time.monotonic() + wait_s

    def _retire(self, count: int) -> None:
        """Retire `count` workers, the least busy first, then the newest."""
        busy = _busy_by_pid()
        active = [worker for worker in self._processes if not worker.retiring]
        active.sort(key=lambda worker: (busy.get(worker.process.pid, 0), -worker.started_at))
        for worker in active[:count]:
            worker.retiring = True
            with suppress(ProcessLookupError):
                worker.process.send_signal(RETIRE_SIGNAL)


def _busy_by_pid() -> dict[int, int]:
    """Return the busy slots of each worker on this machine, as of its last heartbeat."""
    hostname = socket.gethostname()[:40]
    rows = Worker.objects.filter(hostname=hostname, stopped_at__isnull=True)
    return dict(rows.order_by("last_seen_at").values_list("pid", "busy"))
