"""Subscribers to the events of lower apps."""

from __future__ import annotations

from accounts.events import PlanChanged
from accounts.plans import limits_of
from core.events import subscribe
from jobs.services import change_limit
from renders.job_types import limit_key_of


@subscribe(PlanChanged)
def apply_new_plan(event: PlanChanged) -> None:
    """Apply the concurrency limit of the new plan, also to renders that are already waiting."""
    limit = limits_of(event.new_plan).concurrent_renders
    change_limit(limit_key=limit_key_of(event.user_id), limit_running=limit)
