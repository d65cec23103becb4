"""Retry delays of deliveries."""

from __future__ import annotations

import random

from django.conf import settings

JITTER = 0.1


def max_attempts() -> int:
    """Return the number of attempts after which a delivery fails."""
    return len(settings.RENDEROWL_WEBHOOK_RETRY_S) + 1


def retry_delay(failures: int, *, retry_after_s: float = 0.0) -> float:
    """Return the delay in seconds, with jitter, after the given number of failures (1 for the first).

    retry_after_s: minimum delay requested by the receiver.
    """
    delays: tuple[float, ...] = settings.RENDEROWL_WEBHOOK_RETRY_S
    delay = delays[min(failures, len(delays)) - 1]
    return max(delay * random.uniform(1 - JITTER, 1 + JITTER), retry_after_s)  # noqa: S311 - spreads load, no secret
