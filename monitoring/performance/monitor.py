"""The performance monitor of this process: writes its aggregates every few seconds and at exit."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from multiprocessing.util import Finalize
from uuid import uuid4

from django.conf import settings
from django.db import Error as DatabaseDriverError
from django.db import connections

from monitoring.models import ServerProcess
from monitoring.performance.aggregator import Aggregator, RequestObservation, Snapshot
from monitoring.performance.failures import FailureBuffer
from monitoring.performance.process import process_usage
from monitoring.performance.services import write_metrics
from monitoring.performance.windows import moment_of

STATEMENTS_INTERVAL_S = 30.0
# Attempts to write at exit; each may wait for a busy database until its timeout.
FINAL_ATTEMPTS = 3
logger = logging.getLogger(__name__)


class Monitor:
    """Aggregates and writes the requests of this process. Its thread runs after `start`, if an interval is set."""

    def __init__(self) -> None:
        self.failures = FailureBuffer()
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        """Start empty; after a fork the parent writes its own aggregates."""
        self.token = uuid4().hex
        self.aggregator = Aggregator(self.token)
        self.failures.take()
        self.started = time.time()
        self._writing = threading.Lock()
        self._starting = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._cpu_ratio = 0.0
        self._heartbeat_at = 0.0
        self._statements_at = 0.0
        self._cpu_at: tuple[float, float] = (time.monotonic(), time.process_time())

    def observe(self, observation: RequestObservation, *, is_slow: bool) -> None:
        """Record one request; starts the thread if necessary."""
        self.aggregator.observe(observation, is_slow=is_slow)
        if self._thread is None:
            self.start()

    def start(self) -> None:
        """Start the background thread, once per process."""
        interval_s: int = settings.RENDEROWL_PERFORMANCE_FLUSH_S
        if not interval_s:
            return
        with self._starting:
            if self._thread is not None:
                return
            logging.getLogger().addHandler(self.failures)
            arguments = (interval_s,)
            self._thread = threading.Thread(target=self._flush_forever, args=arguments, name="performance", daemon=True)
            self._thread.start()
            # Unlike atexit, this also runs in processes started by multiprocessing, as the server's are.
            Finalize(None, self.stop, exitpriority=5)

    def stop(self) -> None:
        """Stop the thread and write the remaining aggregates, at process exit."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
        for _ in range(FINAL_ATTEMPTS):
            if self.flush(is_last=True):
                return
        logger.error("metrics lost at exit", extra={"requests": self.aggregator.requests})

    def flush(self, *, is_last: bool = False) -> bool:
        """Write changed aggregates; return False if that failed, which keeps them for the next call."""
        with self._writing:
            now, clock = time.time(), time.monotonic()
            with_statements = is_last or clock - self._statements_at >= STATEMENTS_INTERVAL_S
            flushed = self.aggregator.flush(with_statements=with_statements)
            failures = self.failures.take()
            is_due = clock - self._heartbeat_at >= ServerProcess.HEARTBEAT_S
            if not flushed and not failures and not is_due and not is_last:
                return True
            self._measure_cpu(clock)
            process = self.describe_process(now=now, is_last=is_last)
            try:
                write_metrics(flushed=flushed, failures=failures, process=process)
            except DatabaseDriverError as error:
                logger.warning("metrics not written yet: %s", str(error).splitlines()[0] if str(error) else error)
                self.aggregator.restore(flushed)
                self.failures.put(failures)
                return False
            finally:
                # Keep the previous minute: its last requests may be aggregated only now, and rows are replaced.
                self.aggregator.forget_before(int(now // 60) - 1)
            self._heartbeat_at = clock
            if with_statements:
                self._statements_at = clock
            return True

    def _measure_cpu(self, clock: float) -> None:
        clock_before, cpu_before = self._cpu_at
        self._cpu_at = (clock, time.process_time())
        self._cpu_ratio = round((self._cpu_at[1] - cpu_before) / max(clock - clock_before, 0.001), 4)

    def describe_process(self, *, now: float, is_last: bool = False) -> ServerProcess:
        """Return the present row of this process, unsaved."""
        usage = process_usage()
        return ServerProcess(
            token=self.token,
            hostname=socket.gethostname()[:64],
            pid=os.getpid(),
            started_at=moment_of(self.started),
            last_seen_at=moment_of(now),
            stopped_at=moment_of(now) if is_last else None,
            requests=self.aggregator.requests,
            lost=self.aggregator.lost,
            memory_bytes=usage.memory_bytes,
            cpu_s=usage.cpu_s,
            cpu_ratio=self._cpu_ratio,
            threads=usage.threads,
        )

    def _flush_forever(self, interval_s: int) -> None:
        while not self._stop.wait(interval_s):
            try:
                self.flush()
            except Exception:
                # Keep the thread alive: it is the only writer of this process.
                logger.exception("writing metrics failed")
            connections.close_all()

    def snapshot(self) -> Snapshot:
        """Return a copy of the aggregates in memory, never older than the rows of the same minutes."""
        return self.aggregator.snapshot()


monitor = Monitor()
