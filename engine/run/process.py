"""FFmpeg process: runs one command with limits, progress, cancellation and a watchdog."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from engine.errors import RenderAborted, RenderCrashed, RenderTimeout
from engine.graph import FFmpegCommand
from engine.run.model import FFmpegLimits, FFmpegProgress, FFmpegResult

LAUNCHER = Path(__file__).with_name("launcher.py")
LOG_LINES = 60
LOG_LINE_CHARACTERS = 500
REPORT_EVERY_S = 0.25
POLL_S = 0.1
TERMINATE_GRACE_S = 1.0
# FFmpeg adds memory addresses to its filters and threads, which are noise in a log.
ADDRESS = re.compile(r" @ 0x[0-9a-f]+")


class _LogTail:
    """The last lines of a stream, read in a thread so that the writer never blocks."""

    def __init__(self, stream: int) -> None:
        self._lines: deque[str] = deque(maxlen=LOG_LINES)
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def _read(self, stream: int) -> None:
        with os.fdopen(stream, "rb", closefd=True) as lines:
            while line := lines.readline(4096):
                text = line.decode("utf-8", "replace").strip()
                self._lines.append(ADDRESS.sub("", text)[:LOG_LINE_CHARACTERS])

    def text(self) -> str:
        """Return the lines once the stream has ended."""
        self._thread.join(timeout=2.0)
        return "\n".join(self._lines)


def _read_progress(stream: int, blocks: queue.SimpleQueue[dict[str, str] | None]) -> None:
    """Put each block of FFmpeg's `-progress` output into a queue, and None at the end."""
    block: dict[str, str] = {}
    with os.fdopen(stream, "rb", closefd=True) as lines:
        while line := lines.readline(4096):
            key, _, value = line.decode("utf-8", "replace").strip().partition("=")
            block[key] = value.strip()
            if key == "progress":
                blocks.put(block)
                block = {}
    blocks.put(None)


def _number(text: str | None) -> float:
    """Return a number from a progress block; 0 where FFmpeg writes N/A."""
    try:
        return float((text or "0").rstrip("x"))
    except ValueError:
        return 0.0


def _progress(block: dict[str, str], command: FFmpegCommand) -> FFmpegProgress:
    frame = int(_number(block.get("frame")))
    done_s = max(0.0, _number(block.get("out_time_us")) / 1e6)
    if command.total_frames:
        part = frame / command.total_frames
    else:
        part = done_s / command.duration_s if command.duration_s else 0.0
    speed = _number(block.get("speed"))
    remaining_s = command.duration_s * max(0.0, 1 - part)
    eta_s = remaining_s / speed if speed > 0 else None
    return FFmpegProgress(frame, command.total_frames, min(100.0, 100 * part), _number(block.get("fps")), speed, eta_s)


class _Watchdog:
    """Enforces the wall-clock and stall limits of a run."""

    def __init__(self, limits: FFmpegLimits) -> None:
        self._limits = limits
        self._began = self._moved = time.monotonic()
        self._position = ("", "")

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._began

    def record_progress(self, block: dict[str, str]) -> None:
        """Record a progress block; only a new frame or a later timestamp counts as progress."""
        position = (block.get("frame", ""), block.get("out_time_us", ""))
        if position != self._position:
            self._position, self._moved = position, time.monotonic()

    def check(self) -> None:
        """Raise RenderTimeout if a limit is exceeded."""
        if self.elapsed_s > self._limits.wall_s:
            raise RenderTimeout(f"The render took longer than {self._limits.wall_s:.0f} s.")
        if time.monotonic() - self._moved > self._limits.stall_s:
            raise RenderTimeout(f"The render made no progress for {self._limits.stall_s:.0f} s.")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Terminate the process group, kill it after a second, and reap the process."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(TERMINATE_GRACE_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def _started(argv: tuple[str, ...], limits: FFmpegLimits) -> Iterator[tuple[subprocess.Popen[bytes], int, int]]:
    """Start the command in its own session; it has ended when the context exits.

    Yields the process and the descriptors of its output and error streams, which the caller's readers close.
    The kernel kills the child when the thread that started it ends: that thread waits here.
    """
    values = (limits.niceness, limits.address_space_bytes, limits.file_size_bytes, limits.cpu_s)
    launch = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), *map(str, values), "--", *argv]
    environment = {"PATH": os.defpath, "LC_ALL": "C", "HOME": "/nonexistent", "AV_LOG_FORCE_NOCOLOR": "1"}
    process = subprocess.Popen(
        launch,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        close_fds=True,
        env=environment,
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        output, errors = os.dup(process.stdout.fileno()), os.dup(process.stderr.fileno())
        process.stdout.close()
        process.stderr.close()
        yield process, output, errors
    finally:
        _stop(process)


def run(
    command: FFmpegCommand,
    *,
    on_progress: Callable[[FFmpegProgress], None],
    should_cancel: Callable[[], bool],
    limits: FFmpegLimits,
) -> FFmpegResult:
    """Run FFmpeg to the end.

    on_progress and should_cancel are called in this thread, a few times a second; an exception in them ends the run.
    Raises RenderAborted, RenderTimeout, or RenderCrashed with the end of FFmpeg's log. In every case the process
    group has ended on return; removing its output files is left to the caller.
    """
    blocks: queue.SimpleQueue[dict[str, str] | None] = queue.SimpleQueue()
    watchdog = _Watchdog(limits)
    frames, reported_at = 0, float("-inf")
    with _started(command.argv, limits) as (process, output, errors):
        tail = _LogTail(errors)
        threading.Thread(target=_read_progress, args=(output, blocks), daemon=True).start()
        while True:
            if should_cancel():
                raise RenderAborted("The render was cancelled.")
            watchdog.check()
            try:
                block = blocks.get(timeout=POLL_S)
            except queue.Empty:
                continue
            if block is None:
                break
            watchdog.record_progress(block)
            progress = _progress(block, command)
            frames = max(frames, progress.frame)
            if time.monotonic() - reported_at >= REPORT_EVERY_S or block.get("progress") == "end":
                reported_at = time.monotonic()
                on_progress(progress)
        code = _exit_code(process, watchdog, should_cancel)
        log = tail.text()
    if code != 0:
        raise RenderCrashed(_reason(code, log), log)
    return FFmpegResult(frames, watchdog.elapsed_s, log)


def _exit_code(process: subprocess.Popen[bytes], watchdog: _Watchdog, should_cancel: Callable[[], bool]) -> int:
    """Wait for a process that has closed its output: it may still move the index of an mp4."""
    while True:
        try:
            return process.wait(POLL_S)
        except subprocess.TimeoutExpired:
            if should_cancel():
                raise RenderAborted("The render was cancelled.") from None
            watchdog.check()


def _reason(code: int, log: str) -> str:
    if code == -signal.SIGXCPU:
        return "FFmpeg exceeded its CPU time limit."
    if code < 0:
        return f"FFmpeg was killed by signal {-code}."
    lines = [line for line in log.splitlines() if line]
    return f"FFmpeg failed (exit {code}): {lines[0] if lines else 'no message'}"
