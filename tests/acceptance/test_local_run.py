"""`make run`: starts, serves, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from renderowl.local.processes import ROOT, free_port
from tests.migrated_databases import provide

pytestmark = [pytest.mark.acceptance]
STOP_LIMIT_S = 40


class Run:
    """A running installation and its output."""

    def __init__(self, data_dir: Path) -> None:
        self.port = free_port()
        self.out = data_dir / "out.txt"
        env = {
            **os.environ,
            "DATA_DIR": str(data_dir),
            "PORT": str(self.port),
            "DEBUG": "1",
            "SHUTDOWN_LINGER_S": "0.1",
        }
        for name in ("DATABASE_URL", "STORAGE_URL"):
            env.pop(name, None)
        with self.out.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "renderowl.local.run"], cwd=ROOT, env=env, stdout=file, stderr=file
            )

    def output(self) -> str:
        return self.out.read_text()

    def wait_until_serving(self) -> None:
        until = time.monotonic() + 60
        while "Renderowl serves on" not in self.output():
            assert self.process.poll() is None, self.output()
            assert time.monotonic() < until, self.output()
            time.sleep(0.05)

    def descendants(self) -> list[int]:
        found, todo = [], [self.process.pid]
        while todo:
            pid = todo.pop()
            with contextlib.suppress(FileNotFoundError):
                for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                    found.append(int(child))
                    todo.append(int(child))
        return found


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    database = {"DATA_DIR": str(tmp_path), "DATABASE_URL": f"sqlite:///{tmp_path}/renderowl.sqlite3"}
    provide({**os.environ, **database})
    started = Run(tmp_path)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.process.terminate()
            started.process.wait(STOP_LIMIT_S)


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGINT, signal.SIGINT], [signal.SIGINT, signal.SIGTERM]])
def test_serves_and_stops_cleanly(run: Run, signals: list[signal.Signals]) -> None:
    run.wait_until_serving()
    output = run.output()
    key = re.search(r"ro_live_\w+", output)
    assert key is not None
    base = f"http://127.0.0.1:{run.port}"
    assert requests.get(f"{base}/live", timeout=5).json() == {"status": "pass"}
    assert requests.get(f"{base}/api/v2/me", headers={"X-API-Key": key[0]}, timeout=5).status_code == 200
    assert requests.get(f"{base}/admin/login/", timeout=10).status_code == 200
    processes = run.descendants()
    assert len(processes) >= 2
    for number in signals:
        run.process.send_signal(number)
        time.sleep(0.1)
    assert run.process.wait(STOP_LIMIT_S) == 0
    assert [pid for pid in processes if not is_gone(pid)] == []


def test_prints_credentials_on_the_first_run_only(tmp_path: Path) -> None:
    first = output_of_a_run(tmp_path)
    assert "password" in first
    assert "ro_live_" in first
    second = output_of_a_run(tmp_path)
    assert "password" not in second
    assert "ro_live_" not in second


def output_of_a_run(folder: Path) -> str:
    """Start in a folder, wait, stop; return the output. In an empty folder this makes the database."""
    run = Run(folder)
    try:
        run.wait_until_serving()
    finally:
        run.process.terminate()
        assert run.process.wait(STOP_LIMIT_S) == 0
    output = run.output()
    run.out.unlink()
    return output


def test_killed_launcher_leaves_no_process(run: Run) -> None:
    run.wait_until_serving()
    processes = run.descendants()
    run.process.kill()
    run.process.wait(5)
    until = time.monotonic() + STOP_LIMIT_S
    while not all(is_gone(pid) for pid in processes):
        assert time.monotonic() < until, [pid for pid in processes if not is_gone(pid)]
        time.sleep(0.1)


def test_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = subprocess.run(
            [sys.executable, "-m", "renderowl.local.run"],
            cwd=ROOT,
            env={**os.environ, "DATA_DIR": str(tmp_path), "PORT": str(taken.getsockname()[1])},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "is taken" in done.stderr
