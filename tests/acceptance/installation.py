"""A whole installation for a test: database, server and worker of its own, seen from outside."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import requests

from tests.commands import ROOT, manage
from tests.migrated_databases import create_database, drop_database, provide, renamed
from tests.required_services import require

ENDED = {"succeeded", "failed", "cancelled"}


def key_command(user: str) -> tuple[str, ...]:
    """Return the `manage.py` arguments for a new user with a key of all scopes; the command prints JSON."""
    return ("create_api_key", user, "--scopes", "*", "--create-user", "--json")


class Installation:
    """One installation in a folder. Everything that it starts ends with `stop`."""

    def __init__(self, folder: Path, *, database_url: str = "", **env: str) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.database_url = database_url or f"sqlite:///{folder}/db.sqlite3"
        self.env = {
            **{name: value for name, value in os.environ.items() if name not in {"STORAGE_URL", "PUBLIC_URL"}},
            "DATA_DIR": str(folder),
            "DATABASE_URL": self.database_url,
            "DEBUG": "1",
            # Tests send more requests than any plan allows.
            "RATE_LIMITS": "0",
            # Each of the many installations would take its share of the disk.
            "DISK_BALLAST_BYTES": "0",
            "PYTHONWARNINGS": "default",
            **env,
        }
        self.base = f"http://127.0.0.1:{self.port}"
        self.processes: list[subprocess.Popen[bytes]] = []
        self.session = requests.Session()
        self.session.trust_env = False
        (minted,) = provide(self.env, key_command("alice"))
        self.key = json.loads(minted)["key"]
        self.session.headers["X-API-Key"] = self.key

    def manage(self, *arguments: str) -> str:
        return manage(self.env, *arguments)

    def make_key(self, user: str) -> str:
        return json.loads(self.manage(*key_command(user)))["key"]

    def start(self, *command: str, log: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{log}.log").open("ab") as file:
            process = subprocess.Popen(command, cwd=ROOT, env=self.env, stdout=file, stderr=file)
        self.processes.append(process)
        return process

    def start_server(self, *, threads: int = 8, processes: int = 1) -> None:
        """Start the server; return when every process answers, as the first alone would take all of the load."""
        self.start(
            *(sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1"),
            *("--port", str(self.port), "--workers", str(processes), "--blocking-threads", str(threads)),
            *("--backlog", "256", "--log-level", "warning", "renderowl.wsgi:application"),
            log="server",
        )
        self.wait(self.serves, seconds=60)
        if processes > 1:
            self.wait(lambda: self._serving_processes() == processes, seconds=60)

    def _serving_processes(self) -> int:
        # A new connection goes to any of the processes; the first request registers a process.
        requests.get(f"{self.base}/live", headers={"Connection": "close"}, timeout=10)
        ((count,),) = self.query("SELECT count(*) FROM monitoring_serverprocess WHERE stopped_at IS NULL")
        return int(count)

    def serves(self) -> bool:
        """Return whether the server answers."""
        try:
            return self.session.get(f"{self.base}/live", timeout=2).ok
        except (requests.ConnectionError, requests.Timeout):
            return False

    def start_worker(self) -> subprocess.Popen[bytes]:
        return self.start(sys.executable, "manage.py", "run_worker", log="worker")

    def wait(self, condition: Callable[[], Any], *, seconds: float) -> Any:
        """Return the first true result of `condition`."""
        until = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < until, f"nothing after {seconds} s\n{self.logs()}"
            time.sleep(0.02)
        return found

    def logs(self) -> str:
        return "\n".join(path.read_text(errors="replace")[-3000:] for path in sorted(self.folder.glob("*.log")))

    def call(self, method: str, path: str, status: int, **arguments: Any) -> dict[str, Any]:
        response = self.session.request(method, f"{self.base}{path}", timeout=60, **arguments)
        assert response.status_code == status, response.text
        return response.json() if response.content else {}

    def submit(self, edit: dict[str, Any], **members: Any) -> dict[str, Any]:
        return self.call("POST", "/api/v2/renders", 202, json={"edit": edit, **members})

    def render(self, render_id: str) -> dict[str, Any]:
        return self.call("GET", f"/api/v2/renders/{render_id}", 200)

    def finished(self, render_id: str, *, seconds: float = 90) -> dict[str, Any]:
        """Return the render once it has ended."""

        def ended() -> dict[str, Any] | None:
            found = self.render(render_id)
            return found if found["status"] in ENDED else None

        return self.wait(ended, seconds=seconds)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Query the database directly."""
        if self.database_url.startswith("sqlite"):
            with contextlib.closing(sqlite3.connect(self.database_url.removeprefix("sqlite:///"))) as connection:
                return connection.execute(sql).fetchall()
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(sql).fetchall()

    def leftovers(self) -> list[str]:
        """Return left-over work folders and half-written files."""
        work = [str(path) for path in (self.folder / "work").glob("*")]
        partial = [str(path) for pattern in ("*.part", "*.partial") for path in self.folder.rglob(pattern)]
        return work + partial

    def processes_at_work(self) -> list[str]:
        """Return the command lines of all processes that name this installation's folder."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                line = path.read_bytes().replace(b"\x00", b" ").decode(errors="replace")
                if f"{self.folder}/work" in line:
                    found.append(line)
        return found

    def stop(self) -> None:
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(timeout=40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def postgres_database() -> Iterator[str]:
    """Yield the URL of an empty database; skip where there is no PostgreSQL."""
    server = os.environ.get("TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres")
    try:
        psycopg.connect(server, connect_timeout=3).close()
    except psycopg.OperationalError:
        require(available=False, what="PostgreSQL")
    url = renamed(server, f"renderowl_{uuid4().hex[:12]}")
    create_database(url)
    try:
        yield url
    finally:
        drop_database(url)
