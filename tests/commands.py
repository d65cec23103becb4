"""Runs `manage.py` in a separate process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIMIT_S = 120


def run_manage(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command, whatever its exit status."""
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )


def manage(environment: Mapping[str, str], *arguments: str) -> str:
    """Run a command that must succeed, and return its output."""
    done = run_manage(environment, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout
