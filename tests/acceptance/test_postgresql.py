"""The suite runs on SQLite; tests of database-specific behaviour also run on PostgreSQL where it is reachable."""

from __future__ import annotations

import os
import subprocess
import sys

import psycopg
import pytest
from django.db import connection

from renderowl.local.processes import ROOT
from tests.required_services import require

pytestmark = [pytest.mark.acceptance, pytest.mark.postgres]
URL = os.environ.get("POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres")
FILES = [
    "tests/jobs/test_claim.py",
    "tests/jobs/test_outcomes.py",
    "tests/jobs/test_indexes.py",
    "tests/credits/test_races.py",
    "tests/renders/test_indexes.py",
]


def answers() -> bool:
    """Return whether a PostgreSQL accepts our login."""
    try:
        psycopg.connect(URL, connect_timeout=3).close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.mark.skipif(connection.vendor == "postgresql", reason="the whole suite is on PostgreSQL already")
def test_queue_ledger_and_indexes_hold_on_postgresql() -> None:
    require(answers(), "PostgreSQL")
    env = {**os.environ, "DATABASE_URL": URL, "TEST_DATABASE_NAME": f"test_renderowl_{os.getpid()}"}
    for name in [name for name in env if name.startswith("PYTEST_")]:
        del env[name]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", *FILES],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
