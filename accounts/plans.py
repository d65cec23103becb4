"""Plans: what an account may use at a time."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import models


class Plan(models.TextChoices):
    """The tiers of an account, from the smallest."""

    FREE = "free"
    STARTER = "starter"
    CREATOR = "creator"
    PRO = "pro"
    ENTERPRISE = "enterprise"


@dataclass(frozen=True, slots=True)
class PlanLimits:
    """active_keys: API keys neither revoked nor expired; concurrent_renders: renders that run at one time."""

    active_keys: int
    concurrent_renders: int


_LIMITS = {
    Plan.FREE: PlanLimits(active_keys=2, concurrent_renders=1),
    Plan.STARTER: PlanLimits(active_keys=5, concurrent_renders=2),
    Plan.CREATOR: PlanLimits(active_keys=20, concurrent_renders=5),
    Plan.PRO: PlanLimits(active_keys=50, concurrent_renders=10),
    Plan.ENTERPRISE: PlanLimits(active_keys=500, concurrent_renders=50),
}


def limits_of(plan: str) -> PlanLimits:
    """Return the limits of a plan.

    Raises ValueError for a name that is no plan.
    """
    return _LIMITS[Plan(plan)]
