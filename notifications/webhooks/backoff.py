"""When the next attempt at a delivery is made."""

from __future__ import annotations

import random

from django.conf import settings

JITTER = 0.1


def max_attempts() -> int:
    """Return how many attempts are made before a delivery has failed."""
    return len(settings.RENDEROWL_WEBHOOK_RETRY_S) + 1


def retry_delay(failures: int, *, retry_after_s: float = 0.0) -> float:
    """Return the seconds to wait after the given number of failures (1 for the first).

    retry_after_s: what the receiver asked for; never sooner than that.
    """
    delays: tuple[float, ...] = settings.RENDEROWL_WEBHOOK_RETRY_S
    delay = delays[min(failures, len(delays)) - 1]
    return max(delay * random.uniform(1 - JITTER, 1 + JITTER), retry_after_s)  # noqa: S311 - spreads load, no secret
