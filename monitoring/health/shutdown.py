"""Shutdown check. The server's parent process creates a file that all its processes see."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import ClassVar

from monitoring.health.base import Check, CheckObservation, HealthStatus

# Set by the parent of the server processes: see renderowl/serve.py.
STOPPING_FILE_VARIABLE = "RENDEROWL_STOPPING_FILE"


def is_stopping() -> bool:
    """Return whether the server is shutting down."""
    path = os.environ.get(STOPPING_FILE_VARIABLE, "")
    return bool(path) and os.path.exists(path)  # noqa: PTH110 - faster than Path, at every probe


@dataclass
class ShutdownCheck(Check):
    """Fails once shutdown has begun, so that no new requests are routed here."""

    name: ClassVar[str] = "shutdown"
    critical: ClassVar[bool] = True
    is_instant: ClassVar[bool] = True

    def run(self) -> list[CheckObservation]:
        """Look for the parent's file."""
        begun = is_stopping()
        return [CheckObservation("begun", int(begun), "boolean", HealthStatus.FAIL if begun else HealthStatus.PASS)]
