"""Which of the workers evaluates: the one with the lease. A worker that dies is followed when its lease runs out."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q

from monitoring.alerting.models import EvaluatorLease

NAME = "alerts"
# 30 s for an evaluation every 15 s.
LEASE_INTERVALS = 2
# Workers look this often in an interval, so that a lease that has run out is not left lying.
CHECKS_PER_INTERVAL = 3


def interval() -> timedelta:
    """Return the time from one evaluation to the next."""
    return timedelta(seconds=settings.RENDEROWL_ALERT_EVALUATE_S)


def check_interval_s() -> float:
    """Return how often each worker looks whether it is to evaluate."""
    return interval().total_seconds() / CHECKS_PER_INTERVAL


def claim_evaluation(*, holder: str, now: datetime) -> bool:
    """Keep, or take, the lease; return whether this worker is to evaluate now."""
    lease = EvaluatorLease.objects.filter(name=NAME).first()
    if lease is None:
        # Nothing is decided here: the update below is, and only one of those that come at once can do it.
        row = EvaluatorLease(name=NAME, expires_at=now)
        EvaluatorLease.objects.bulk_create([row], ignore_conflicts=True)
    elif lease.holder != holder and lease.expires_at > now:
        return False
    mine = EvaluatorLease.objects.filter(Q(holder=holder) | Q(expires_at__lte=now), name=NAME)
    held = mine.update(holder=holder, expires_at=now + LEASE_INTERVALS * interval())
    if not held:
        return False
    # Looks come a little early or late. Half of one is near enough; a whole one late would be a third of an interval.
    due = now - interval() * (1 - 0.5 / CHECKS_PER_INTERVAL)
    turn = EvaluatorLease.objects.filter(Q(evaluated_at__isnull=True) | Q(evaluated_at__lte=due), name=NAME)
    return turn.filter(holder=holder).update(evaluated_at=now) == 1
