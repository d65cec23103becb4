"""Start the server and the worker, watch them, stop them. No Django here: it only starts programs."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO

from jobs.processes import die_with_parent

ROOT = Path(__file__).resolve().parent.parent.parent
# The server lingers 5 s and has requests finish for 30.
STOP_LIMIT_S = 37.0


class StartFailed(Exception):
    """A process could not be started or ended at once; the text is for the person at the terminal."""


def free_port() -> int:
    """Return a port of the loopback interface that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def manage(arguments: Sequence[str], env: Mapping[str, str]) -> str:
    """Run a management command to its end and return its standard output.

    Raises StartFailed with the last line of its error output.
    """
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, env=dict(env), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()
        raise StartFailed(f"manage.py {arguments[0]}: {lines[-1]}")
    return done.stdout


def server_command(port: int) -> list[str]:
    """Return the command of the application server: one process, some threads, loopback only."""
    return [
        sys.executable,
        "-m",
        "renderowl.serve",
        "--port",
        str(port),
        "--workers",
        os.environ.get("WEB_WORKERS", "1"),
        "--threads",
        os.environ.get("WEB_THREADS", "16"),
    ]


def worker_command() -> list[str]:
    """Return the command of the job worker."""
    return [sys.executable, "manage.py", "run_worker"]


@dataclass
class ProcessGroup:
    """The processes of one local installation. Stops all of them when one ends or a signal arrives."""

    env: Mapping[str, str]
    log: IO[bytes] | None = None
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _stop_asked: bool = False

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start a process in a session of its own, so that a Ctrl-C reaches only this one."""
        self._running[name] = subprocess.Popen(
            command,
            cwd=ROOT,
            env=dict(self.env),
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
            # Should this launcher be killed outright, nothing that it started may stay behind.
            preexec_fn=die_with_parent,  # noqa: PLW1509 - this program has one thread
        )

    def catch_signals(self) -> None:
        """Let SIGINT and SIGTERM ask for a stop; a second one changes nothing."""
        signal.signal(signal.SIGINT, self._note_signal)
        signal.signal(signal.SIGTERM, self._note_signal)

    def _note_signal(self, number: int, frame: FrameType | None) -> None:
        self._stop_asked = True

    def wait_until_serving(self, port: int, limit_s: float = 60.0) -> None:
        """Return when the port accepts connections.

        Raises StartFailed if a process ends first, a signal arrives or the time runs out.
        """
        until = time.monotonic() + limit_s
        while time.monotonic() < until and not self._stop_asked:
            if ended := self.ended():
                raise StartFailed(f"the {ended} ended while starting")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return
            time.sleep(0.05)
        raise StartFailed(
            "stopped while starting" if self._stop_asked else f"no server on port {port} in {limit_s:.0f} s"
        )

    def ended(self) -> str | None:
        """Return the name of a process that has ended, if any."""
        return next((name for name, process in self._running.items() if process.poll() is not None), None)

    def watch(self) -> str | None:
        """Wait for a signal (returns None) or for the first process to end (returns its name)."""
        while not self._stop_asked:
            if ended := self.ended():
                return ended
            time.sleep(0.1)
        return None

    def stop(self) -> None:
        """End every process: SIGTERM, a grace time, then SIGKILL to what is left of its session."""
        for process in self._running.values():
            if process.poll() is None:
                process.terminate()
        until = time.monotonic() + STOP_LIMIT_S
        for process in self._running.values():
            try:
                process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self._running.clear()
