"""Cron triggers that have come due."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from automations.cron import NoNextOccurrence, latest_occurrence, next_occurrence
from automations.models import Automation
from automations.services.definitions import pause_automation
from automations.services.triggering import AutomationTrigger, lock_account, start_run_if_allowed
from core.times import format_time

# So many take a fraction of a second.
MAX_RUNS_PER_CALL = 50


def start_due_runs(*, now: datetime, limit: int = MAX_RUNS_PER_CALL) -> int:
    """Start the runs of cron triggers that have come due, of at most `limit`; return how many this call moved on.

    Any number of workers may call this at one time: the one that moves `next_run_at` on starts the run, in the same
    transaction, and the run is unique by occurrence. Of several missed occurrences only the latest starts a run.
    """
    return sum(
        _start_due(automation, now) for automation in Automation.objects.due(now).order_by("next_run_at")[:limit]
    )


def _start_due(automation: Automation, now: datetime) -> bool:
    due = automation.next_run_at
    assert due is not None
    expression, zone = automation.trigger["cron"], automation.trigger["timezone"]
    try:
        occurrence, following = (
            latest_occurrence(expression, zone, due, now),
            next_occurrence(expression, zone, max(now, due)),
        )
    except NoNextOccurrence as error:
        # One that cannot go on must not keep the others waiting.
        return pause_automation(automation_id=automation.pk, reason=str(error))
    with transaction.atomic():
        lock_account(automation.owner_id)
        here = Automation.objects.filter(pk=automation.pk, is_active=True, next_run_at=due)
        if not here.update(next_run_at=following):
            return False
        time_text = format_time(occurrence) or ""
        trigger = AutomationTrigger("cron", time_text, "cron", {"scheduled_at": time_text})
        start_run_if_allowed(automation_id=automation.pk, trigger=trigger)
    return True
