"""Whether this server has been told to stop. The file of its parent says so to all of its processes at once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import ClassVar

from monitoring.health.base import Check, CheckObservation, HealthStatus

# Named by the parent of the server's processes: see renderowl/serve.py.
STOPPING_FILE_VARIABLE = "RENDEROWL_STOPPING_FILE"


def is_stopping() -> bool:
    """Say whether the server takes its last requests."""
    path = os.environ.get(STOPPING_FILE_VARIABLE, "")
    return bool(path) and os.path.exists(path)  # noqa: PTH110 - asked by every probe; a Path costs more than the question


@dataclass
class ShutdownCheck(Check):
    """Is the server here to stay?"""

    name: ClassVar[str] = "shutdown"
    critical: ClassVar[bool] = True
    is_instant: ClassVar[bool] = True

    def run(self) -> list[CheckObservation]:
        """Ask the parent's file."""
        begun = is_stopping()
        return [CheckObservation("begun", int(begun), "boolean", HealthStatus.FAIL if begun else HealthStatus.PASS)]
