"""Leader election for alert evaluation: one worker holds a lease; another takes over when it expires."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q

from monitoring.alerting.models import EvaluatorLease

NAME = "alerts"
# The length of a lease: 30 s with an evaluation every 15 s.
LEASE_INTERVALS = 2
# Several, so that an expired lease is taken over soon.
CHECKS_PER_INTERVAL = 3


def interval() -> timedelta:
    """Return the configured time between evaluations."""
    return timedelta(seconds=settings.RENDEROWL_ALERT_EVALUATE_S)


def check_interval_s() -> float:
    """Return the seconds between a worker's attempts to claim an evaluation."""
    return interval().total_seconds() / CHECKS_PER_INTERVAL


def claim_evaluation(*, holder: str, now: datetime) -> bool:
    """Renew or take the lease; return whether this worker must evaluate now."""
    lease = EvaluatorLease.objects.filter(name=NAME).first()
    if lease is None:
        # The conditional update below decides which of several workers gets the new lease.
        row = EvaluatorLease(name=NAME, expires_at=now)
        EvaluatorLease.objects.bulk_create([row], ignore_conflicts=True)
    elif lease.holder != holder and lease.expires_at > now:
        return False
    mine = EvaluatorLease.objects.filter(Q(holder=holder) | Q(expires_at__lte=now), name=NAME)
    if not mine.update(holder=holder, expires_at=now + LEASE_INTERVALS * interval()):
        return False
    # Attempts jitter: accept one that is early by half the time between attempts, rather than wait for the next.
    due_at = now - interval() * (1 - 0.5 / CHECKS_PER_INTERVAL)
    due = EvaluatorLease.objects.filter(Q(evaluated_at__isnull=True) | Q(evaluated_at__lte=due_at), name=NAME)
    return due.filter(holder=holder).update(evaluated_at=now) == 1
