"""Drawing process pool: starts the processes, sends them jobs and replaces those that fail."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from engine.raster.errors import DrawingFailed
from engine.raster.job import RasterJob
from engine.raster.job_json import job_to_json

JOB_TIMEOUT_S = 15.0
_START_TIMEOUT_S = 30.0
_ANSWER_BYTES = 1 << 16
_PROCESSES = 2
_SOURCE_ROOT = Path(__file__).resolve().parents[2]
# Starts `engine.raster.worker` without the imports of the packages around it: they are a third of the start-up time,
# which every render with text would pay.
_BOOT = (
    "import sys, types\n"
    "for name in ('engine', 'engine.raster', 'engine.raster.fonts'):\n"
    "    package = types.ModuleType(name)\n"
    "    package.__path__ = [sys.argv[1] + '/' + name.replace('.', '/')]\n"
    "    sys.modules[name] = package\n"
    "from engine.raster.worker import main\n"
    "main()\n"
)


class _Process:
    """One drawing process, started on first use and again after it has died."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._fresh = True
        self.lock = threading.Lock()

    def draw(self, job: RasterJob, out: Path, timeout_s: float) -> list[str]:
        """Draw one job; return the blocked URLs. Raises DrawingFailed; the process is then replaced."""
        request = json.dumps({"job": job_to_json(job), "out": str(out), "timeout_s": timeout_s}).encode() + b"\n"
        child = self._running()
        wait_s = timeout_s + (_START_TIMEOUT_S if self._fresh else 1.0)
        try:
            answer = _exchange(child, request, time.monotonic() + wait_s)
        except (OSError, TimeoutError, ValueError) as error:
            self.stop()
            detail = "drawing took too long" if _timed_out(child, error) else "the content crashed the drawing process"
            raise DrawingFailed(detail) from error
        self._fresh = False
        if answer.get("last"):
            self.stop()
        if "error" in answer:
            raise DrawingFailed(str(answer["error"])[:300], retryable=bool(answer.get("again")))
        return [str(url) for url in answer["blocked"]]

    def stop(self) -> None:
        """End and reap the process, if there is one."""
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            # Closing flushes the buffer to a process that has ended.
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._child.poll() is not None:
            self.stop()
            self._fresh = True
            self._child = subprocess.Popen(
                [sys.executable, "-c", _BOOT, str(_SOURCE_ROOT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(),
                start_new_session=True,
            )
        return self._child


class RasterPool:
    """Draws jobs in separate processes, a few at a time. Thread-safe."""

    def __init__(self, processes: int = _PROCESSES) -> None:
        """processes: how many jobs may be drawn at once."""
        self._processes = [_Process() for _ in range(processes)]

    def draw(
        self, jobs: Sequence[tuple[RasterJob, Path, str]], timeout_s: float = JOB_TIMEOUT_S
    ) -> dict[Path, list[str]]:
        """Draw every job to its file; return the blocked URLs by file.

        jobs: what to draw, its file, and the JSON Pointer to name on failure.
        Raises DrawingFailed for the first job that takes too long, crashes the process or cannot be drawn.
        """
        if len(jobs) <= 1:
            return {out: self._draw_one(job, out, pointer, timeout_s) for job, out, pointer in jobs}
        with ThreadPoolExecutor(len(self._processes)) as pool:
            pending = [(out, pool.submit(self._draw_one, job, out, pointer, timeout_s)) for job, out, pointer in jobs]
            try:
                return {out: future.result() for out, future in pending}
            finally:
                for _, future in pending:
                    future.cancel()

    def _draw_one(self, job: RasterJob, out: Path, pointer: str, timeout_s: float) -> list[str]:
        """Draw one job with an idle process, or wait for the first one."""
        process = next((one for one in self._processes if one.lock.acquire(blocking=False)), None)
        if process is None:
            process = self._processes[0]
            process.lock.acquire()
        try:
            return process.draw(job, out, timeout_s)
        except DrawingFailed as error:
            raise DrawingFailed(error.detail, pointer, retryable=error.retryable) from error
        finally:
            process.lock.release()

    def close(self) -> None:
        """End the processes; the next job starts them again."""
        for process in self._processes:
            with process.lock:
                process.stop()


_pools: dict[int, RasterPool] = {}
_pools_lock = threading.Lock()


def shared_pool() -> RasterPool:
    """Return this process's pool. A forked child gets its own, never its parent's pipes."""
    pid = os.getpid()
    with _pools_lock:
        if pid not in _pools:
            _pools.clear()
            _pools[pid] = RasterPool()
            atexit.register(_pools[pid].close)
        return _pools[pid]


def _exchange(child: subprocess.Popen[bytes], request: bytes, deadline: float) -> dict[str, Any]:
    """Send one request and return its answer.

    Raises OSError if the process dies, TimeoutError if it is late, ValueError if the answer is no JSON object.
    """
    if child.stdin is None or child.stdout is None:
        raise OSError("the drawing process has no pipes")
    child.stdin.write(request)
    child.stdin.flush()
    received = b""
    poller = select.poll()
    poller.register(child.stdout, select.POLLIN)
    while not received.endswith(b"\n"):
        if not poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise TimeoutError
        part = os.read(child.stdout.fileno(), _ANSWER_BYTES)
        if not part:
            raise OSError("the drawing process ended")
        received += part
    answer = json.loads(received)
    if not isinstance(answer, dict):
        raise ValueError("the drawing process sent an invalid answer")  # noqa: TRY004 - as for invalid JSON
    return answer


def _timed_out(child: subprocess.Popen[bytes], error: Exception) -> bool:
    """Return whether the process ran out of time: by our deadline, or by its own alarm."""
    return isinstance(error, TimeoutError) or child.returncode == -14


def _environment() -> dict[str, str]:
    """Return a minimal environment: a process that reads hostile markup gets no secrets."""
    allowed = ("PATH", "PYTHONPATH", "VIRTUAL_ENV", "TMPDIR", "LANG")
    return {name: os.environ[name] for name in allowed if name in os.environ} | {"PYTHONDONTWRITEBYTECODE": "1"}
