"""Process group of server and worker: start, watch, stop. Needs no Django."""

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
# The server lingers for 5 s and then finishes requests for up to 30 s.
STOP_LIMIT_S = 37.0


class StartFailed(Exception):
    """A process could not be started or exited at once; the message is for the user at the terminal."""


def free_port() -> int:
    """Return an unused port of the loopback interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def manage(arguments: Sequence[str], env: Mapping[str, str]) -> str:
    """Run a management command and return its standard output.

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
    """Return the command of the application server, which listens on loopback only."""
    workers, threads = os.environ.get("WEB_WORKERS", "1"), os.environ.get("WEB_THREADS", "16")
    options = ["--port", str(port), "--workers", workers, "--threads", threads]
    return [sys.executable, "-m", "renderowl.serve", *options]


def worker_command() -> list[str]:
    """Return the command of the job worker."""
    return [sys.executable, "manage.py", "run_worker"]


@dataclass
class ProcessGroup:
    """The processes of a local installation."""

    env: Mapping[str, str]
    log: IO[bytes] | None = None
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _is_stopping: bool = False

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start a process in a new session, so that only the launcher receives Ctrl-C."""
        self._running[name] = subprocess.Popen(
            command,
            cwd=ROOT,
            env=dict(self.env),
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
            # If the launcher is killed, its children must not stay behind.
            preexec_fn=die_with_parent,  # noqa: PLW1509 - this program has one thread
        )

    def catch_signals(self) -> None:
        """Make SIGINT and SIGTERM request a stop."""
        signal.signal(signal.SIGINT, self._request_stop)
        signal.signal(signal.SIGTERM, self._request_stop)

    def _request_stop(self, number: int, frame: FrameType | None) -> None:
        self._is_stopping = True

    def wait_until_serving(self, port: int, limit_s: float = 60.0) -> None:
        """Return when the port accepts connections.

        Raises StartFailed if a process exits first, a stop is requested or the time runs out.
        """
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline and not self._is_stopping:
            if ended := self.ended():
                raise StartFailed(f"the {ended} exited while starting")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return
            time.sleep(0.05)
        raise StartFailed(
            "stopped while starting" if self._is_stopping else f"no server on port {port} in {limit_s:.0f} s"
        )

    def ended(self) -> str | None:
        """Return the name of a process that has exited, if any."""
        return next((name for name, process in self._running.items() if process.poll() is not None), None)

    def watch(self) -> str | None:
        """Wait for a stop request (returns None) or for the first process to exit (returns its name)."""
        while not self._is_stopping:
            if ended := self.ended():
                return ended
            time.sleep(0.1)
        return None

    def stop(self) -> None:
        """Stop every process: SIGTERM, a grace period, then SIGKILL to its session."""
        for process in self._running.values():
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + STOP_LIMIT_S
        for process in self._running.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self._running.clear()
