"""Jobs that watch over the installation."""

from __future__ import annotations

from typing import Any

from accounts import services
from core.api import lifecycle
from jobs.context import JobContext

ANNOUNCE_JOB = "monitoring.announce_deprecations"


def announce_deprecations(context: JobContext) -> dict[str, Any]:
    """Tell the owners of API keys what will end that they still call."""
    made = services.announce_deprecations(now=lifecycle.now())
    return {"notices": made, "letters": services.send_due_notices(now=lifecycle.now())}
