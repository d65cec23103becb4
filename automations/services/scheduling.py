"""Runs of due cron triggers."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from automations.cron import NoNextOccurrence, latest_occurrence, next_occurrence
from automations.models import Automation
from automations.services.definitions import pause_automation
from automations.services.triggering import AutomationTrigger, lock_account, start_run_if_allowed
from core.times import format_time

# These take a fraction of a second.
MAX_RUNS_PER_CALL = 50


def start_due_runs(*, now: datetime, limit: int = MAX_RUNS_PER_CALL) -> int:
    """Start the runs of at most `limit` due cron triggers; return how many this call advanced.

    Safe to race: the worker that advances `next_run_at` starts the run, in the same transaction, and the run is unique
    by occurrence. Of several missed occurrences only the latest starts a run.
    """
    automations = Automation.objects.due(now).order_by("next_run_at")[:limit]
    return sum(_start_due(automation, now) for automation in automations)


def _start_due(automation: Automation, now: datetime) -> bool:
    due = automation.next_run_at
    assert due is not None
    expression, zone = automation.trigger["cron"], automation.trigger["timezone"]
    try:
        occurrence = latest_occurrence(expression, zone, due, now)
        next_run_at = next_occurrence(expression, zone, max(now, due))
    except NoNextOccurrence as error:
        # An invalid schedule must not hold up the others.
        return pause_automation(automation_id=automation.pk, reason=str(error))
    with transaction.atomic():
        lock_account(automation.owner_id)
        unchanged = Automation.objects.filter(pk=automation.pk, is_active=True, next_run_at=due)
        if not unchanged.update(next_run_at=next_run_at):
            return False
        time_text = format_time(occurrence) or ""
        trigger = AutomationTrigger("cron", time_text, "cron", {"scheduled_at": time_text})
        start_run_if_allowed(automation_id=automation.pk, trigger=trigger)
    return True
