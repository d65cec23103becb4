"""Services that start runs: one for each trigger, within the hourly limits."""

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
    """A trigger of an automation.

    type: cron, event, webhook or manual. key: unique for its type, and the same when the trigger is repeated.
    name: of the event, such as `render.failed`. data: its payload. chain: the automations that led to it.
    """

    type: str
    key: str
    name: str
    data: dict[str, Any]
    chain: tuple[str, ...] = field(default=())

    @property
    def unique_key(self) -> str:
        """Return the key of its run; a long one is hashed."""
        key = f"{self.type}:{self.key}"
        return key if len(key) <= 200 else f"{self.type}:{hashlib.sha256(key.encode()).hexdigest()}"

    @property
    def digest(self) -> str:
        """Return a hash of name and data, to detect a reused key with other data."""
        return hashlib.sha256(orjson.dumps([self.name, self.data], option=orjson.OPT_SORT_KEYS)).hexdigest()


def start_run(*, automation_id: UUID, trigger: AutomationTrigger) -> tuple[AutomationRun, bool]:
    """Return the run of a trigger, and whether this call created it, with its job in the same transaction.

    Raises TriggerIdReused, AutomationInactive, TooManyRuns.
    """
    with transaction.atomic():
        if run := _existing_run(automation_id, trigger):
            return run, False
        automation = _lock(automation_id)
        # Checked again with the lock, as a concurrent request may have created the run.
        if run := _existing_run(automation_id, trigger):
            return run, False
        if automation is None:
            raise AutomationInactive
        _check_limits(automation)
        return _insert(automation, trigger)


def start_run_if_allowed(*, automation_id: UUID, trigger: AutomationTrigger) -> AutomationRun | None:
    """Start the run of a cron or event trigger, or record it as skipped if a limit refuses it.

    Returns None, without a record, for a repeated trigger or a paused automation.
    """
    try:
        if len(trigger.chain) >= MAX_CHAIN_LENGTH:
            error = {"code": "chain_too_long", "message": f"{MAX_CHAIN_LENGTH} automations led to this run."}
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
    """Lock the starting of runs of an account until the transaction ends, as its hourly limit spans all automations.

    Always lock the account before an automation, to avoid deadlocks. SQLite has a single writer anyway.
    """
    User.objects.select_for_update(no_key=True).filter(pk=owner_id).values_list("pk").first()


def _lock(automation_id: UUID) -> Automation | None:
    """Return the automation, locked with its account until the transaction ends; None if either is inactive."""
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


def _check_hourly_limit(runs: QuerySet[AutomationRun], limit: int, policy: str, now: datetime) -> None:
    counted = runs.exclude(status=AutomationRunStatus.SKIPPED)
    over = counted.count() - limit
    if over >= 0:
        # The next run is allowed when this one is more than an hour old.
        frees_at = counted.order_by("created_at").values_list("created_at", flat=True)[over] + HOUR
        raise TooManyRuns(policy=policy, retry_after_s=max(1, math.ceil((frees_at - now).total_seconds())))


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
        return None  # already recorded
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
