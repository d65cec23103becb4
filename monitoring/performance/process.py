"""What this process uses."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path

_STATUS = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class ProcessUsage:
    """memory_bytes: anonymous memory, without mapped database pages, 0 where the system does not tell."""

    memory_bytes: int
    cpu_s: float
    threads: int


def process_usage() -> ProcessUsage:
    """Return what this process uses now."""
    return ProcessUsage(_anonymous_bytes(), time.process_time(), threading.active_count())


def _anonymous_bytes() -> int:
    try:
        lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        # Not Linux.
        return 0
    # Mapped pages of the database count as resident too, and are no use of memory.
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:")), 0)
