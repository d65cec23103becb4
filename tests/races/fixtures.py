"""The `race` fixture, which runs a scenario: `race("credits.reserve_one_reference")`."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from tests import races
from tests.commands import ROOT
from tests.migrated_databases import provide

Race = Callable[[str], dict[str, Any]]


def _run_on_sqlite(directory: Path, name: str) -> dict[str, Any]:
    environment = {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{directory}/race.sqlite3",
        "DATA_DIR": str(directory / "data"),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])),
    }
    provide(environment)
    command = [sys.executable, "-m", "tests.races", name]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    outcome: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return outcome


@pytest.fixture
def race(transactional_db: None, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Race]:
    """Runs scenarios on the database of the session; on SQLite in a separate process and database.

    transactional_db is requested so that transactions are committed.
    """
    if connection.vendor == "postgresql":
        # One race at a time across all test processes: each uses up to 50 connections, and the server allows 100.
        with (tmp_path_factory.getbasetemp().parent / "race.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield races.run
        return
    yield lambda name: _run_on_sqlite(tmp_path, name)
