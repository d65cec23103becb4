"""Services of schedules: sync with the code, fire, run now, enable and disable."""

from __future__ import annotations

import logging
import uuid

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from jobs.cron import next_run
from jobs.models import Job, Schedule
from jobs.registry import handlers, schedules
from jobs.services.enqueueing import enqueue

logger = logging.getLogger(__name__)


def sync_schedules() -> None:
    """Create and update the rows of registered schedules.

    Rows of schedules that are not registered stay, as a worker of another version may have registered them.
    """
    now = timezone.now()
    for registered in schedules.by_name():
        fields = {"cron": registered.cron, "type": registered.type, "payload": dict(registered.payload)}
        with transaction.atomic():
            row, created = Schedule.objects.get_or_create(
                name=registered.name, defaults={**fields, "next_run_at": next_run(registered.cron, now)}
            )
            if not created and any(getattr(row, name) != value for name, value in fields.items()):
                Schedule.objects.filter(pk=row.pk).update(**fields, next_run_at=next_run(registered.cron, now))


def fire_due_schedules() -> int:
    """Enqueue the jobs of due schedules; return how many schedules fired.

    Safe to race: the worker that advances `next_run_at` enqueues, in the same transaction. Runs missed while no worker
    was running are replaced by one. While a schedule's job is active, no second one is enqueued.
    """
    fired = 0
    for schedule in Schedule.objects.filter(enabled=True, next_run_at__lte=Now()):
        if schedule.type not in handlers:
            continue
        # Later than the run that fires, even if this machine's clock is behind the database's.
        next_at = next_run(schedule.cron, max(timezone.now(), schedule.next_run_at))
        with transaction.atomic():
            due = Schedule.objects.filter(pk=schedule.pk, enabled=True, next_run_at=schedule.next_run_at)
            if due.update(next_run_at=next_at, last_run_at=schedule.next_run_at):
                _enqueue(schedule)
                fired += 1
    return fired


def run_schedule_now(*, schedule_id: uuid.UUID) -> Job:
    """Enqueue the job of a schedule immediately; return its active job if there is one."""
    with transaction.atomic():
        return _enqueue(Schedule.objects.get(pk=schedule_id))


def set_schedule_enabled(*, schedule_id: uuid.UUID, enabled: bool) -> None:
    """Enable or disable a schedule. An enabled one waits for its next run."""
    schedule = Schedule.objects.get(pk=schedule_id)
    next_at = next_run(schedule.cron, timezone.now())
    Schedule.objects.filter(pk=schedule_id).update(enabled=enabled, next_run_at=next_at)


def _enqueue(schedule: Schedule) -> Job:
    return enqueue(type=schedule.type, payload=schedule.payload, unique_key=f"schedule:{schedule.name}")
