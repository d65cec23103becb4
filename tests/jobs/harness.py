"""Real worker processes on a database of their own, for tests that kill them."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psycopg

from tests.commands import ROOT
from tests.migrated_databases import create_database, drop_database, provide, renamed

TABLES = "jobs_jobattempt, jobs_job, jobs_worker, jobs_schedule, jobs_queuestate, effects"
PROGRAM = [sys.executable, "-m", "tests.jobs.worker_main"]


def wait_until(condition, within_s=30.0):
    """Return the first true result of `condition()`; fail after a timeout."""
    end = time.monotonic() + within_s
    while not (result := condition()):
        assert time.monotonic() < end, "timed out"
        time.sleep(0.02)
    return result


class WorkerHarness:
    """A database, and the processes that use it, each with a mark in its environment."""

    def __init__(self, folder: Path, *, template: WorkerHarness | None = None, **environment: str) -> None:
        self.mark = f"renderowl-test-{secrets.token_hex(8)}"
        self.processes: list[subprocess.Popen] = []
        self._log = (folder / "worker.log").open("ab")
        self.log_path = folder / "worker.log"
        server = os.environ.get("DATABASE_URL", "")
        self.is_postgres = server.startswith("postgres")
        self._owns_database = template is None
        if self.is_postgres:
            # One database for all harnesses of a module, truncated, as creating one takes PostgreSQL seconds.
            self.url = template.url if template else renamed(server, f"renderowl_jobs_{secrets.token_hex(6)}")
            if template:
                self.change(f"TRUNCATE {TABLES}")
            else:
                create_database(self.url)
        else:
            self._file = folder / "jobs.sqlite3"
            if template:
                shutil.copy(template._file, self._file)
            self.url = f"sqlite:///{self._file}"
        self._environment = {
            **os.environ,
            "DATABASE_URL": self.url,
            "DATA_DIR": str(folder),
            "RENDEROWL_TEST_MARK": self.mark,
            "PYTHONWARNINGS": "default",
            **environment,
        }
        if template is None:
            provide(self._environment)
            self.change("CREATE TABLE effects (job_id text, attempt integer, word text)")

    def call(self, *arguments: str) -> str:
        """Run a command to its end; return its output."""
        done = subprocess.run(
            [*PROGRAM, *arguments],
            check=False,  # the assertion below shows the error
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, *arguments: str) -> subprocess.Popen:
        """Start a program in the background."""
        process = subprocess.Popen([*PROGRAM, *arguments], cwd=ROOT, env=self._environment, stderr=self._log)
        self.processes.append(process)
        return process

    def enqueue(self, kind: str, count: int = 1, payload: dict | None = None, **options) -> list[str]:
        """Enqueue jobs; return their ids."""
        return self.call("enqueue", kind, str(count), json.dumps(payload or {}), json.dumps(options)).split()

    def query(self, text: str) -> list[tuple]:
        """Query the database directly, without Django."""
        if self.is_postgres:
            with psycopg.connect(self.url) as connection:
                return connection.execute(text).fetchall()
        with closing(sqlite3.connect(self._file, timeout=10)) as connection:
            return connection.execute(text).fetchall()

    def value(self, text: str):
        """Return the one value of a query."""
        return self.query(text)[0][0]

    def change(self, text: str) -> None:
        """Write to the database directly, without Django."""
        if self.is_postgres:
            with psycopg.connect(self.url) as connection:
                connection.execute(text)
            return
        with closing(sqlite3.connect(self._file, timeout=10)) as connection:
            connection.execute(text)
            connection.commit()

    def statuses(self) -> dict[str, int]:
        """Count the test jobs by status."""
        text = "SELECT status, count(*) FROM jobs_job WHERE type LIKE 'test.%' GROUP BY status"
        return dict(self.query(text))

    def outcomes(self) -> dict[str, int]:
        """Count the attempts of test jobs by outcome; jobs of the product's schedules may also run."""
        text = "SELECT outcome, count(*) FROM jobs_jobattempt a JOIN jobs_job j ON j.id = a.job_id"
        return dict(self.query(f"{text} WHERE j.type LIKE 'test.%' GROUP BY outcome"))

    def marked_pids(self) -> set[int]:
        """Return all living descendants of the started processes, without zombies."""
        found = set()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                marked = self.mark.encode() in (entry / "environ").read_bytes()
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
            if marked and state != "Z":
                found.add(int(entry.name))
        return found

    def children(self, pid: int) -> set[int]:
        """Return the direct children of a process."""
        try:
            return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
        except FileNotFoundError:
            return set()

    def close(self) -> None:
        """Kill the remaining processes, and drop the database."""
        for pid in self.marked_pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        for process in self.processes:
            process.wait(10)
        self._log.close()
        if self.is_postgres and self._owns_database:
            drop_database(self.url)
