"""Servers whose database is locked by another process, or whose disk is full, answer 503 with `Retry-After`; afterwards
everything works again without a restart.

`LOCK_S=10 pytest tests/acceptance/test_database_faults.py` holds the lock for 10 s, instead of until all requests have
been answered.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
from PIL import Image

from tests.acceptance.installation import Installation
from tests.commands import ROOT
from tests.factories import make_edit
from tests.required_services import require

LOCK_S = float(os.environ.get("LOCK_S", "0"))
# A client gets its answer within six seconds.
ANSWER_S = 6.0
PROCESSES = 2
BALLAST = 4 * 1024 * 1024

pytestmark = [pytest.mark.acceptance]
Call = tuple[str, str, dict[str, Any]]


def picture(side: int = 16) -> bytes:
    file = io.BytesIO()
    Image.effect_noise((side, side), 80).save(file, "PNG")
    return file.getvalue()


class Served(Installation):
    """An installation behind the server of production, with a project in it."""

    def serve(self) -> None:
        self.start(
            *(sys.executable, "-m", "renderowl.serve", "--port", str(self.port), "--linger", "0"),
            *("--workers", str(PROCESSES)),
            log="server",
        )
        self.wait(self.serves, seconds=60)
        self.project = self.call("POST", "/api/v2/projects", 201, json={"name": "first"})["id"]

    def writes(self) -> dict[str, Call]:
        """Return a new request of each kind that writes."""
        keyed = {"Idempotency-Key": f'"{uuid4().hex}"'}
        return {
            "project": ("POST", "/api/v2/projects", {"json": {"name": uuid4().hex}}),
            "project under a key": ("POST", "/api/v2/projects", {"json": {"name": uuid4().hex}, "headers": keyed}),
            "render": ("POST", "/api/v2/renders", {"json": {"edit": make_edit()}}),
            "change": ("PATCH", f"/api/v2/projects/{self.project}", {"json": {"name": uuid4().hex}}),
            "upload": ("POST", "/api/v2/assets", {"files": {"file": ("a.png", picture(), "image/png")}}),
        }

    def send(self, call: Call) -> tuple[requests.Response, float]:
        """Return the answer and its time in seconds."""
        began = time.monotonic()
        method, path, options = call
        with requests.Session() as session:
            session.trust_env = False
            session.headers["X-API-Key"] = self.key
            return session.request(method, f"{self.base}{path}", timeout=30, **options), time.monotonic() - began

    def send_all(self, calls: dict[str, Call]) -> dict[str, tuple[requests.Response, float]]:
        with ThreadPoolExecutor(len(calls)) as pool:
            return dict(zip(calls, pool.map(self.send, calls.values()), strict=True))

    def counts(self) -> list[tuple[Any, ...]]:
        tables = ("renders_project", "renders_render", "jobs_job", "assets_asset", "credits_creditentry")
        return self.query("SELECT " + ", ".join(f"(SELECT count(*) FROM {table})" for table in tables))

    def works(self) -> None:
        """Assert that every kind of write succeeds."""
        answers = self.send_all(self.writes())
        assert {name: found.status_code for name, (found, _) in answers.items()} == {
            "project": 201,
            "project under a key": 201,
            "render": 202,
            "change": 200,
            "upload": 201,
        }

    def reads(self) -> None:
        for path in ("/api/v2/projects", f"/api/v2/projects/{self.project}", "/api/v2/renders", "/api/v2/me"):
            response, _ = self.send(("GET", path, {}))
            assert response.status_code == 200, response.text
        assert requests.get(f"{self.base}/live", timeout=5).status_code == 200


def assert_refused(response: requests.Response, code: str) -> None:
    assert response.status_code == 503, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == code
    assert int(response.headers["Retry-After"]) > 0


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    found = Served(tmp_path)
    try:
        found.serve()
        yield found
    finally:
        found.stop()


def test_a_lock_of_another_process_refuses_writes_within_the_limit_and_no_reads(served: Served) -> None:
    # The first requests of each process load code.
    for _ in range(PROCESSES):
        served.works()
    before = served.counts()
    with contextlib.closing(sqlite3.connect(served.folder / "db.sqlite3", isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        until = time.monotonic() + LOCK_S
        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(served.send_all, served.writes())
            while not writing.done():
                served.reads()
            answers = writing.result()
        while time.monotonic() < until:
            served.reads()
        holder.execute("ROLLBACK")
    for response, _ in answers.values():
        assert_refused(response, "database_busy")
    assert {name: took for name, (_, took) in answers.items() if took >= ANSWER_S} == {}
    assert served.counts() == before
    served.works()
    print("refused after", {name: round(took, 2) for name, (_, took) in answers.items()})


class OnSmallDisk(Served):
    """An installation whose data is on a disk of a few megabytes; its logs are not."""

    def start(self, *command: str, log: str) -> subprocess.Popen[bytes]:
        with (self.folder.parent / f"{log}.log").open("ab") as file:
            process = subprocess.Popen(command, cwd=ROOT, env=self.env, stdout=file, stderr=file)
        self.processes.append(process)
        return process

    def logs(self) -> str:
        return "\n".join(path.read_text()[-3000:] for path in self.folder.parent.glob("*.log"))

    def fill(self) -> Path:
        """Write until the disk is full."""
        filler = self.folder / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        return filler

    def stored(self) -> list[str]:
        return sorted(str(path) for path in (self.folder / "media").rglob("*") if path.is_file())


@contextlib.contextmanager
def small_disk(path: Path, size: str) -> Iterator[Path]:
    """Mount a disk in memory; skip where this user lacks the right."""
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)]
    mounted = shutil.which("mount") is not None and subprocess.run(command, capture_output=True, check=False)
    require(available=bool(mounted) and mounted.returncode == 0, what="the right to mount a disk in memory")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def test_a_full_disk_refuses_writes_and_harms_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "40m") as folder:
        served = OnSmallDisk(folder, DISK_BALLAST_BYTES=str(BALLAST))
        try:
            assert json.loads(served.manage("db_cleanup", "--json"))["ballast_bytes"] == BALLAST
            served.serve()
            served.works()
            filler = served.fill()
            before, files = served.counts(), served.stored()
            answers = served.send_all(served.writes())
            for response, _ in answers.values():
                assert_refused(response, "disk_full")
            served.reads()
            checks = requests.get(f"{served.base}/health/disk", timeout=5).json()["checks"]
            assert [checks[f"disk:{name}"][0]["observedValue"] for name in ("free", "ballast")] == [0, BALLAST]
            assert (served.counts(), served.stored()) == (before, files)
            assert served.query("PRAGMA integrity_check") == [("ok",)]
            # With nothing else to delete, the ballast makes room.
            cleaned = json.loads(served.manage("db_cleanup", "--json"))
            assert (cleaned["ballast_freed_bytes"], cleaned["ballast_bytes"]) == (BALLAST, 0)
            served.works()
            filler.unlink()
            served.works()
            assert served.query("PRAGMA integrity_check") == [("ok",)]
            assert list(folder.rglob("*.part")) == []
        finally:
            served.stop()


def test_a_render_outlasts_a_full_disk(tmp_path: Path) -> None:
    """The database is on another disk here: with a full disk of its own, jobs stay as they are."""
    with small_disk(tmp_path / "disk", "20m") as folder:
        database_url = f"sqlite:///{tmp_path}/db.sqlite3"
        served = OnSmallDisk(folder, database_url=database_url, STORAGE_URL=f"file://{folder}/media")
        try:
            served.start_server()
            filler = served.fill()
            served.start_worker()
            render = served.submit(make_edit())["id"]
            served.wait(lambda: served.query("SELECT 1 FROM jobs_jobattempt WHERE outcome = 'failed'"), seconds=150)
            assert served.render(render)["status"] == "queued"
            assert served.stored() == []
            filler.unlink()
            assert served.finished(render)["status"] == "succeeded"
            assert served.leftovers() == []
        finally:
            served.stop()
