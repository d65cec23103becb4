"""From a trigger to a run: one for each trigger, within the limits."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import User
from automations.exceptions import AutomationInactive, TooManyRuns, TriggerIdReused
from automations.job_types import RUN_JOB
from automations.limits import MAX_CHAIN_LENGTH
from automations.models import Automation, AutomationRun, AutomationRunStatus
from core.times import format_time
from jobs.services import enqueue
from jobs.states import JobPriority

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class AutomationTrigger:
    """What sets an automation off.

    type: cron, event, webhook or manual. key: unique among those of its type, and the same when it comes again.
    name: of the event, such as `render.failed`. data: what came with it. chain: the automations that led to it.
    """

    type: str
    key: str
    name: str
    data: dict[str, Any]
    chain: tuple[str, ...] = field(default=())

    @property
    def unique_key(self) -> str:
        """Return the key under which its run is found; a long one as a digest."""
        key = f"{self.type}:{self.key}"
        return key if len(key) <= 200 else f"{self.type}:{hashlib.sha256(key.encode()).hexdigest()}"

    @property
    def digest(self) -> str:
        """Return what tells two triggers with one key apart."""
        return hashlib.sha256(orjson.dumps([self.name, self.data], option=orjson.OPT_SORT_KEYS)).hexdigest()


def start_run(*, automation_id: UUID, trigger: AutomationTrigger) -> tuple[AutomationRun, bool]:
    """Return the run of a trigger, and whether this call made it. Its work is a job of the same transaction.

    Raises TriggerIdReused, AutomationInactive, TooManyRuns.
    """
    with transaction.atomic():
        if known := _existing_run(automation_id, trigger):
            return known, False
        automation = _lock(automation_id)
        # Of many at one time one has the lock; the others find its run here.
        if known := _existing_run(automation_id, trigger):
            return known, False
        if automation is None:
            raise AutomationInactive
        _check_limits(automation)
        return _insert(automation, trigger)


def start_run_if_allowed(*, automation_id: UUID, trigger: AutomationTrigger) -> AutomationRun | None:
    """Start the run of a trigger that nobody waits for, or note in the trail why it was skipped.

    Returns None where there is nothing to note: the trigger came before, or the automation is paused.
    """
    try:
        if len(trigger.chain) >= MAX_CHAIN_LENGTH:
            error = {"code": "chain_too_long", "message": f"{MAX_CHAIN_LENGTH} automations led to this one already."}
            return _insert_skipped(automation_id, trigger, error)
        run, is_new = start_run(automation_id=automation_id, trigger=trigger)
    except (AutomationInactive, TriggerIdReused):
        return None
    except TooManyRuns as refusal:
        error = {"code": "too_many_runs", "message": refusal.detail}
        return _insert_skipped(automation_id, trigger, error)
    return run if is_new else None


def _existing_run(automation_id: UUID, trigger: AutomationTrigger) -> AutomationRun | None:
    run = AutomationRun.objects.filter(automation_id=automation_id, trigger_key=trigger.unique_key).first()
    if run is not None and run.body_sha256 != trigger.digest:
        raise TriggerIdReused
    return run


def lock_account(owner_id: UUID) -> None:
    """Let nobody else start runs of an account until the transaction ends, as its hourly limit is of all of them.

    Whoever locks an automation as well locks the account first: two in another order would wait for each other. SQLite
    has one writer anyway.
    """
    User.objects.select_for_update(no_key=True).filter(pk=owner_id).values_list("pk").first()


def _lock(automation_id: UUID) -> Automation | None:
    """Return the automation, locked with its account until the transaction ends; None for a paused one."""
    active = Automation.objects.filter(pk=automation_id, is_active=True, owner__is_active=True)
    owner_id = active.filter(owner__is_suspended=False).values_list("owner_id", flat=True).first()
    if owner_id is None:
        return None
    lock_account(owner_id)
    if not Automation.objects.filter(pk=automation_id, is_active=True).update(last_triggered_at=timezone.now()):
        return None
    return Automation.objects.get(pk=automation_id)


def _check_limits(automation: Automation) -> None:
    now = timezone.now()
    of_automation = AutomationRun.objects.filter(automation=automation, created_at__gt=now - HOUR)
    _check_hourly_limit(of_automation, automation.runs_per_hour, "automation", now)
    of_account = AutomationRun.objects.filter(owner_id=automation.owner_id, created_at__gt=now - HOUR)
    _check_hourly_limit(of_account, settings.RENDEROWL_AUTOMATION_RUNS_PER_HOUR, "automations", now)


def _check_hourly_limit(runs: QuerySet[AutomationRun], most: int, policy: str, now: datetime) -> None:
    counted = runs.exclude(status=AutomationRunStatus.SKIPPED)
    over = counted.count() - most
    if over >= 0:
        # There is room when so many have left the hour that fewer than the limit are in it.
        leaves_at = counted.order_by("created_at").values_list("created_at", flat=True)[over] + HOUR
        raise TooManyRuns(policy=policy, retry_after_s=max(1, math.ceil((leaves_at - now).total_seconds())))


def _insert(automation: Automation, trigger: AutomationTrigger) -> tuple[AutomationRun, bool]:
    run = _build(automation.pk, automation.owner_id, trigger)
    job = enqueue(
        type=RUN_JOB,
        payload={"run": str(run.pk)},
        priority=JobPriority.HIGH,
        user_id=automation.owner_id,
        reference=f"automation_run:{run.pk}",
    )
    run.job_id = job.pk
    run.save(force_insert=True)
    return run, True


def _insert_skipped(automation_id: UUID, trigger: AutomationTrigger, error: dict[str, str]) -> AutomationRun | None:
    owner_id = Automation.objects.values_list("owner_id", flat=True).get(pk=automation_id)
    run = _build(automation_id, owner_id, trigger)
    run.status, run.error, run.finished_at = AutomationRunStatus.SKIPPED, error, run.created_at
    try:
        with transaction.atomic():
            run.save(force_insert=True)
    except IntegrityError:
        return None  # noted already
    return run


def _build(automation_id: UUID, owner_id: Any, trigger: AutomationTrigger) -> AutomationRun:
    now = timezone.now()
    event = {"id": trigger.key, "type": trigger.name, "timestamp": format_time(now), "data": trigger.data}
    return AutomationRun(
        automation_id=automation_id,
        owner_id=owner_id,
        trigger_type=trigger.type,
        trigger_key=trigger.unique_key,
        input=event,
        body_sha256=trigger.digest,
        chain=list(trigger.chain),
        created_at=now,
    )
