"""Stats equal the events with concurrent writers and aggregation processes, some of them killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

BENCH = Path(__file__).resolve().parent.parent.parent / "bench" / "analytics_consistency.py"


@pytest.mark.acceptance
def test_stats_equal_a_recount_after_kills() -> None:
    name = "postgres" if connection.vendor == "postgresql" else "sqlite"
    done = subprocess.run(
        [sys.executable, str(BENCH), "--events=2000", "--kills=3", f"--database={name}"],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "renderowl.settings"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 counting processes killed" in done.stdout
    assert "HOLDS" in done.stdout
