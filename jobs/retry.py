"""The delay before a job's next attempt."""

from __future__ import annotations

import random

from django.conf import settings

from jobs.registry import handlers

JITTER = 0.2


def retry_delay_s(job_type: str, failures: int) -> float:
    """Return the seconds to wait after the given number of failures (1 for the first).

    Exponential backoff with a cap and 20 % jitter, so that jobs that failed together are not retried together.
    """
    handler = handlers.get(job_type)
    if handler is not None and handler.retry_delays_s:
        delay = handler.retry_delays_s[min(failures, len(handler.retry_delays_s)) - 1]
    else:
        # The bound on the exponent keeps the float from overflowing.
        growth: float = settings.RENDEROWL_JOBS_RETRY_FACTOR ** min(failures - 1, 30)
        delay = min(settings.RENDEROWL_JOBS_RETRY_CAP_S, settings.RENDEROWL_JOBS_RETRY_BASE_S * growth)
    return delay * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads load, keeps no secret
