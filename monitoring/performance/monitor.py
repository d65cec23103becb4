"""The monitor of this process: takes observations, writes their sums every few seconds and when the process ends."""

from __future__ import annotations

import logging
import os
import threading
import time
from dataclasses import dataclass
from multiprocessing.util import Finalize
from uuid import uuid4

from django.conf import settings
from django.db import Error as DatabaseDriverError
from django.db import connections

from monitoring.models import ServerProcess
from monitoring.performance.failures import FailureBuffer
from monitoring.performance.pending import Pending
from monitoring.performance.process import usage
from monitoring.performance.recorder import Cell, Observation, Place, Recorder
from monitoring.performance.writing import Heartbeat, record_served

STATEMENTS_EVERY_S = 30.0
# Tries to write as the process ends: each may wait for a busy database as long as its connection allows.
LAST_TRIES = 3
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Unwritten:
    """What is in the memory of this process. token: names the process in its rows."""

    token: str
    cells: dict[Place, Cell]


class Monitor:
    """Adds up what this process serves. Nothing runs in the background before `start`, nor without an interval."""

    def __init__(self) -> None:
        self.failures = FailureBuffer()
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        """Start with nothing: what a parent process served is the parent's to write."""
        self.recorder = Recorder()
        self.pending = Pending(self.recorder)
        self.failures.take()
        self.token = uuid4().hex
        self.started = time.time()
        self._writing = threading.Lock()
        self._starting = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.cpu_ratio = 0.0
        self._beat_at = 0.0
        self._statements_at = 0.0
        self._cpu_at: tuple[float, float] = (time.monotonic(), time.process_time())

    def observe(self, seen: Observation, *, is_slow: bool) -> None:
        """Take down one request."""
        self.recorder.observe(seen, is_slow=is_slow)
        if self._thread is None:
            self.start()

    def start(self) -> None:
        """Begin to write in the background, once for each process."""
        interval_s: int = settings.RENDEROWL_PERFORMANCE_FLUSH_S
        if not interval_s:
            return
        with self._starting:
            if self._thread is not None:
                return
            logging.getLogger().addHandler(self.failures)
            self._thread = threading.Thread(
                target=self._write_forever, args=(interval_s,), name="performance", daemon=True
            )
            self._thread.start()
            # Unlike atexit this also runs in processes that multiprocessing started, as the server's are.
            Finalize(None, self.stop, exitpriority=5)

    def stop(self) -> None:
        """Write what is left, for the end of the process."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
        for _ in range(LAST_TRIES):
            if self.flush(is_last=True):
                return
        logger.error("requests not written", extra={"requests": self.pending.requests})

    def flush(self, *, is_last: bool = False) -> bool:
        """Write what has changed; return whether it is written. What is not stays for the next time."""
        with self._writing:
            now, clock = time.time(), time.monotonic()
            with_statements = is_last or clock - self._statements_at >= STATEMENTS_EVERY_S
            batch = self.pending.batch(with_statements=with_statements)
            failures = self.failures.take()
            is_due = clock - self._beat_at >= ServerProcess.HEARTBEAT_S
            if not batch and not failures and not is_due and not is_last:
                return True
            beat = self._heartbeat(now, clock, is_last=is_last)
            try:
                record_served(batch=batch, failures=failures, heartbeat=beat)
            except DatabaseDriverError as error:
                logger.warning("performance not written yet: %s", str(error).splitlines()[0] if str(error) else error)
                self.pending.put_back(batch)
                self.failures.put(failures)
                return False
            finally:
                # The minute before stays: a request that ended in it may be recorded only now, and a row is replaced.
                self.pending.forget_before(int(now // 60) - 1)
            self._beat_at = clock
            if with_statements:
                self._statements_at = clock
            return True

    def _heartbeat(self, now: float, clock: float, *, is_last: bool) -> Heartbeat:
        used = usage()
        clock_before, cpu_before = self._cpu_at
        passed = max(clock - clock_before, 0.001)
        self._cpu_at = (clock, used.cpu_s)
        self.cpu_ratio = round((used.cpu_s - cpu_before) / passed, 4)
        return Heartbeat(
            token=self.token,
            started=self.started,
            at=now,
            requests=self.pending.requests,
            lost=self.pending.lost,
            usage=used,
            cpu_ratio=self.cpu_ratio,
            is_last=is_last,
        )

    def _write_forever(self, interval_s: int) -> None:
        while not self._stop.wait(interval_s):
            try:
                self.flush()
            except Exception:
                # The thread's edge: without it nothing would be written until the next start.
                logger.exception("performance not written")
            connections.close_all()

    def unwritten(self) -> Unwritten:
        """Return a copy of the sums in memory. They are more than the rows of the same minutes, never less."""
        return Unwritten(self.token, self.pending.snapshot())


monitor = Monitor()
