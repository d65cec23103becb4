"""Jobs that come back by the clock."""

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
    """Bring the rows up to date with what the code registers.

    Rows that this version of the program does not know are kept: a worker of another version may.
    """
    now = timezone.now()
    for registered in schedules.by_name():
        terms = {"cron": registered.cron, "type": registered.type, "payload": dict(registered.payload)}
        with transaction.atomic():
            row, created = Schedule.objects.get_or_create(
                name=registered.name, defaults={**terms, "next_run_at": next_run(registered.cron, now)}
            )
            if not created and any(getattr(row, name) != value for name, value in terms.items()):
                Schedule.objects.filter(pk=row.pk).update(**terms, next_run_at=next_run(registered.cron, now))


def fire_due_schedules() -> int:
    """Enqueue the jobs of schedules that have come due; return how many.

    Any number of workers may call this: the one that moves `next_run_at` on enqueues, in the same transaction.
    Ticks missed while no worker ran are made up for by one run. A run that is still active is not piled on.
    """
    fired = 0
    for schedule in Schedule.objects.filter(enabled=True, next_run_at__lte=Now()):
        if schedule.type not in handlers:
            continue
        # Not before the tick that fires: this machine's clock may run behind the database's.
        following = next_run(schedule.cron, max(timezone.now(), schedule.next_run_at))
        with transaction.atomic():
            tick = Schedule.objects.filter(pk=schedule.pk, enabled=True, next_run_at=schedule.next_run_at)
            if tick.update(next_run_at=following, last_run_at=schedule.next_run_at):
                _enqueue(schedule)
                fired += 1
    return fired


def run_schedule_now(*, schedule_id: uuid.UUID) -> Job:
    """Enqueue the job of a schedule without waiting for its tick; the running one, if there is one."""
    with transaction.atomic():
        return _enqueue(Schedule.objects.get(pk=schedule_id))


def set_schedule_enabled(*, schedule_id: uuid.UUID, enabled: bool) -> None:
    """Switch a schedule on or off. One that is switched on waits for its next tick."""
    schedule = Schedule.objects.get(pk=schedule_id)
    following = next_run(schedule.cron, timezone.now())
    Schedule.objects.filter(pk=schedule_id).update(enabled=enabled, next_run_at=following)


def _enqueue(schedule: Schedule) -> Job:
    return enqueue(type=schedule.type, payload=schedule.payload, unique_key=f"schedule:{schedule.name}")
