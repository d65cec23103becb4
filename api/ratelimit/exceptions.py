"""Errors of rate limits.

DomainError
└── RateLimited          429
"""

from __future__ import annotations

from api.ratelimit.buckets import LimitStatus
from core.exceptions import DomainError


class RateLimited(DomainError):
    """Too many requests: wait as long as Retry-After says."""

    code = "rate_limited"
    status = 429

    def __init__(self, limit_status: LimitStatus) -> None:
        super().__init__(policy=limit_status.policy.name)
        self.limit_status = limit_status
        self.retry_after_s = limit_status.wait_s
