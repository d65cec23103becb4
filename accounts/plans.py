"""Plans and their limits."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db import models

from api.ratelimit.buckets import RateLimitPolicy


class AccountPlan(models.TextChoices):
    """Plans, from the smallest to the largest."""

    FREE = "free"
    STARTER = "starter"
    CREATOR = "creator"
    PRO = "pro"
    ENTERPRISE = "enterprise"


@dataclass(frozen=True, slots=True)
class PlanLimits:
    """Limits of a plan.

    requests_per_minute: of the account, and of each of its keys; burst: of each key.
    renders_per_hour: includes refused renders, as requests are counted before the body is read; None: unlimited.
    """

    active_keys: int
    concurrent_renders: int
    requests_per_minute: int
    burst: int
    renders_per_hour: int | None
    webhook_endpoints: int
    by_key: RateLimitPolicy = field(init=False)
    by_account: RateLimitPolicy = field(init=False)
    by_renders: RateLimitPolicy | None = field(init=False)

    def __post_init__(self) -> None:
        """Create the rate limit policies once, as every request uses them."""
        renders = None if self.renders_per_hour is None else RateLimitPolicy("renders", self.renders_per_hour, 3600)
        object.__setattr__(self, "by_key", RateLimitPolicy("key", self.requests_per_minute, 60, self.burst))
        object.__setattr__(self, "by_account", RateLimitPolicy("account", self.requests_per_minute, 60))
        object.__setattr__(self, "by_renders", renders)


# active_keys, concurrent_renders, requests_per_minute, burst, renders_per_hour, webhook_endpoints
_LIMITS = {
    AccountPlan.FREE: PlanLimits(2, 1, 100, 30, 30, 5),
    AccountPlan.STARTER: PlanLimits(5, 2, 1_000, 100, 120, 10),
    AccountPlan.CREATOR: PlanLimits(20, 5, 5_000, 250, 600, 20),
    AccountPlan.PRO: PlanLimits(50, 10, 20_000, 500, 3_000, 50),
    AccountPlan.ENTERPRISE: PlanLimits(500, 50, 100_000, 2_000, None, 200),
}
# Unauthenticated requests, by client address.
ANONYMOUS = RateLimitPolicy("address", 30, 60, 10)
# Keys of render workers, and of services under `/internal/`, whatever their owner's plan.
INTERNAL = RateLimitPolicy("key", 6_000, 60, 500)


def limits_of(plan: str) -> PlanLimits:
    """Return the limits of a plan; raise ValueError if there is no such plan."""
    return _LIMITS[AccountPlan(plan)]
