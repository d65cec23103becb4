"""Starts the child process of a load test, forwards progress and signals, and returns its report."""

from __future__ import annotations

import importlib.util
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

from maintenance.loadtest.plan import CONNECT_TIMEOUT_S, LoadPlan

ROOT = Path(__file__).resolve().parent.parent.parent
_COMMAND = [sys.executable, "-m", "maintenance.loadtest.driver"]


class LoadTestFailed(Exception):
    """The load test could not run; the message is shown on the terminal."""


def check_listening(url: str) -> None:
    """Raise LoadTestFailed unless the host and port of `url` accept connections."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection((parts.hostname or "", port), timeout=CONNECT_TIMEOUT_S):
            return
    except OSError as error:
        raise LoadTestFailed(f"Cannot connect to {url} ({error.strerror or error}); use another --url.") from None


def check_locust() -> None:
    """Raise LoadTestFailed unless Locust is installed; importing it would patch this process."""
    if importlib.util.find_spec("locust") is None:
        raise LoadTestFailed("Load tests need Locust, which is not installed: `make load-test` installs it.")


def run_plan(plan: LoadPlan, show: Callable[[float], None]) -> dict[str, Any]:
    """Run the test in a child process; return the report. show: called with the seconds elapsed.

    SIGINT and SIGTERM end the test early, with a report of the requests sent so far. Raises LoadTestFailed.
    """
    # In its own session, so that Ctrl-C reaches only this process, which sends SIGTERM to the child.
    child = subprocess.Popen(
        _COMMAND,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )

    def stop(number: int, frame: FrameType | None) -> None:
        child.terminate()

    previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return _read_report(child, plan, show)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        if child.poll() is None:
            child.kill()
        child.communicate()


def _read_report(child: subprocess.Popen[str], plan: LoadPlan, show: Callable[[float], None]) -> dict[str, Any]:
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdin.write(plan.to_json() + "\n")
    child.stdin.flush()
    for text in child.stdout:
        line: dict[str, Any] = json.loads(text)
        if "report" in line:
            report: dict[str, Any] = line["report"]
            return report
        show(line["done_s"])
    errors = child.stderr.read().strip().splitlines()
    raise LoadTestFailed(f"The load generator ended without a report: {errors[-1] if errors else 'no error output'}")
