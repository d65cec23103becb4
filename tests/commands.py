"""`manage.py` in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIMIT_S = 120


def run_manage(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, however it ends."""
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )


def manage(environment: Mapping[str, str], *arguments: str) -> str:
    """Run a command that has to succeed, and return what it prints."""
    done = run_manage(environment, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout
