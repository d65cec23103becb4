"""Refusals of this package.

DomainError
└── RateLimited          429
"""

from __future__ import annotations

from api.ratelimit.buckets import Standing
from core.exceptions import DomainError


class RateLimited(DomainError):
    """Too many requests: wait as long as Retry-After says."""

    code = "rate_limited"
    status = 429

    def __init__(self, standing: Standing) -> None:
        """Name the policy that refuses, also in the problem document."""
        super().__init__(policy=standing.policy.name)
        self.standing = standing
        self.retry_after_s = standing.wait_s
