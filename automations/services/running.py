"""Outcomes of runs: each is one transaction, in which the run's job also ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from automations.actions import PreparedAction
from automations.models import Automation, AutomationRun, AutomationRunStatus
from automations.notification_kinds import FAILED, MESSAGE, PAUSED
from automations.services.definitions import pause_automation
from core.notifications import notify
from renders.services.submit import accept_render

BeforeCommit = Callable[[], None]


def complete_run(*, run: AutomationRun, action: PreparedAction, before_commit: BeforeCommit = lambda: None) -> bool:
    """Run the prepared action; return whether this call did it. before_commit: called in the transaction.

    Raises the errors of submitting a render, which roll everything back.
    """
    automation = run.automation
    with transaction.atomic():
        now = timezone.now()
        queued = AutomationRun.objects.filter(pk=run.pk, status=AutomationRunStatus.QUEUED)
        if not queued.update(status=AutomationRunStatus.SUCCEEDED, request=action.request, finished_at=now):
            before_commit()
            return False
        if action.prepared is None:
            notify(
                user_id=automation.owner_id,
                kind=MESSAGE.name,
                title=str(action.request["title"]),
                body=str(action.request.get("body", "")),
                resource=automation.public_id,
            )
            record_success(automation_id=automation.pk)
        else:
            render = accept_render(owner=automation.owner, prepared=action.prepared)
            # Success or failure is counted when the render ends.
            AutomationRun.objects.filter(pk=run.pk).update(render=render)
        before_commit()
    return True


def fail_run(*, run: AutomationRun, error: Mapping[str, Any], before_commit: BeforeCommit = lambda: None) -> bool:
    """Fail a run and notify its owner; return whether this call did it."""
    with transaction.atomic():
        queued = AutomationRun.objects.filter(pk=run.pk, status=AutomationRunStatus.QUEUED)
        changed = queued.update(status=AutomationRunStatus.FAILED, error=dict(error), finished_at=timezone.now()) == 1
        if changed:
            record_failure(automation_id=run.automation_id, message=str(error["message"]))
        before_commit()
    return changed


def skip_run(*, run: AutomationRun, error: Mapping[str, Any], before_commit: BeforeCommit = lambda: None) -> bool:
    """Skip a run, which does not count as a failure; return whether this call did it."""
    with transaction.atomic():
        queued = AutomationRun.objects.filter(pk=run.pk, status=AutomationRunStatus.QUEUED)
        changed = queued.update(status=AutomationRunStatus.SKIPPED, error=dict(error), finished_at=timezone.now()) == 1
        before_commit()
    return changed


@transaction.atomic
def record_failure(*, automation_id: UUID, message: str) -> None:
    """Count a failure, notify the owner, and pause the automation after too many consecutive ones."""
    rows = Automation.objects.filter(pk=automation_id)
    if not rows.update(failures=F("failures") + 1):
        return
    automation = rows.get()
    body = f"{automation.name}: {message}"
    if automation.failures >= automation.max_failures and pause_automation(
        automation_id=automation_id, reason=f"{automation.failures} consecutive failures. The last: {message}"
    ):
        title = f"Automation paused after {automation.failures} consecutive failures"
        _notify(automation, PAUSED.name, title, body)
    else:
        _notify(automation, FAILED.name, "Automation failed", body)


def record_success(*, automation_id: UUID) -> None:
    """Reset the count of consecutive failures."""
    Automation.objects.filter(pk=automation_id, failures__gt=0).update(failures=0)


def _notify(automation: Automation, kind: str, title: str, body: str) -> None:
    notify(user_id=automation.owner_id, kind=kind, title=title, body=body, resource=automation.public_id)
