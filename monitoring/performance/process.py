"""Resource usage of this process."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path

_STATUS = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class ProcessUsage:
    """Resource usage. memory_bytes: anonymous memory, without mapped database pages; 0 if unknown."""

    memory_bytes: int
    cpu_s: float
    threads: int


def process_usage() -> ProcessUsage:
    """Return the present usage of this process."""
    return ProcessUsage(_anonymous_bytes(), time.process_time(), threading.active_count())


def _anonymous_bytes() -> int:
    try:
        lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0  # not Linux
    # Not VmRSS, which includes mapped database pages.
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:")), 0)
