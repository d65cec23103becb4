"""System checks of the job queue's settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register


@register(Tags.compatibility)
def check_jobs_engine(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Report an unsupported `JOBS_ENGINE` at start-up instead of at the first job."""
    if settings.RENDEROWL_JOBS_ENGINE in settings.RENDEROWL_JOBS_ENGINES:
        return []
    return [
        Error(
            f"JOBS_ENGINE is {settings.RENDEROWL_JOBS_ENGINE!r}, which is not part of this version; choose database.",
            id="renderowl.E002",
        )
    ]
