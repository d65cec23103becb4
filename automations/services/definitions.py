"""Services that create, change, pause, resume and delete automations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from accounts.services import record_audit
from automations.cron import next_occurrence
from automations.exceptions import ActionRefused, NoWebhookTrigger, TooManyAutomations
from automations.models import Automation, TriggerType
from automations.webhook_secrets import new_salt
from core.ids import decode_id, encode_id
from renders.models import Project, Template

PREVIOUS_SECRET_TTL = timedelta(hours=24)
UPDATABLE_FIELDS = (
    "name",
    "project",
    "is_active",
    "trigger",
    "trigger_type",
    "action",
    "action_type",
    "author_scopes",
    "runs_per_hour",
    "max_failures",
    "next_run_at",
    "failures",
    "paused_at",
    "paused_reason",
    "webhook_salt",
    "previous_webhook_salt",
    "updated_at",
)


def create_automation(
    *,
    owner: User,
    author_scopes: Iterable[str],
    name: str,
    trigger: Mapping[str, Any],
    action: Mapping[str, Any],
    before_commit: Callable[[Automation], None] = lambda _: None,
    **fields: Any,
) -> Automation:
    """Create an automation from a validated trigger and action. before_commit: called with the row in the transaction.

    Raises TooManyAutomations, and ActionRefused for a template or project that is not the owner's.
    """
    _require_owned(owner.pk, {**fields, "action": action})
    now = timezone.now()
    automation = Automation(owner=owner, name=name, author_scopes=sorted(author_scopes), created_at=now, **fields)
    _set_trigger(automation, trigger)
    _set_action(automation, action)
    _set_next_run(automation, now)
    with transaction.atomic():
        # Locks the owner, so that concurrent requests cannot exceed the limit.
        User.objects.select_for_update(no_key=True).get(pk=owner.pk)
        limit: int = settings.RENDEROWL_AUTOMATIONS_PER_ACCOUNT
        if Automation.objects.for_owner(owner).count() >= limit:
            raise TooManyAutomations(limit)
        automation.save(force_insert=True)
        before_commit(automation)
    return automation


@transaction.atomic
def change_automation(
    *, automation: Automation, changes: Mapping[str, Any], author_scopes: Iterable[str]
) -> Automation:
    """Change fields of an automation. A new action is bound to `author_scopes`, those of the caller.

    changes: any of name, project_id, is_active, trigger, action, runs_per_hour, max_failures.
    Raises ActionRefused for a template or project that is not the owner's.
    """
    row: Automation = Automation.objects.select_for_update().get(pk=automation.pk)
    _require_owned(row.owner_id, changes)
    fields = dict(changes)
    if "trigger" in fields:
        _set_trigger(row, fields.pop("trigger"))
    if "action" in fields:
        _set_action(row, fields.pop("action"))
        row.author_scopes = sorted(author_scopes)
    if fields.get("is_active") and not row.is_active:
        _reset_failures(row)
    for name, value in fields.items():
        setattr(row, name, value)
    row.updated_at = timezone.now()
    if {"trigger", "is_active"} & set(changes):
        _set_next_run(row, row.updated_at)
    row.save(update_fields=UPDATABLE_FIELDS)
    return row


def delete_automation(*, automation: Automation) -> None:
    """Delete an automation and its runs; its renders stay."""
    automation.delete()


@transaction.atomic
def pause_automation(*, automation_id: UUID, reason: str, actor: User | None = None) -> bool:
    """Pause an automation; return whether this call did it. actor: a member of staff, for the audit log."""
    now = timezone.now()
    paused = Automation.objects.filter(pk=automation_id, is_active=True).update(
        is_active=False, next_run_at=None, paused_at=now, paused_reason=reason[:200], updated_at=now
    )
    if paused and actor is not None:
        record_audit(action="automation.paused", subject=encode_id(Automation.ID_PREFIX, automation_id), actor=actor)
    return bool(paused)


@transaction.atomic
def resume_automation(*, automation: Automation, actor: User) -> Automation:
    """Resume an automation; occurrences missed while it was paused do not run. actor: a member of staff."""
    record_audit(action="automation.resumed", subject=automation.public_id, actor=actor)
    return change_automation(automation=automation, changes={"is_active": True}, author_scopes=automation.author_scopes)


@transaction.atomic
def rotate_webhook_secret(*, automation: Automation) -> Automation:
    """Replace the secret of a webhook trigger; the old one is valid for 24 hours. Raises NoWebhookTrigger."""
    row = Automation.objects.select_for_update().get(pk=automation.pk)
    if row.trigger_type != TriggerType.WEBHOOK:
        raise NoWebhookTrigger
    row.previous_webhook_salt, row.webhook_salt = row.webhook_salt, new_salt()
    row.previous_webhook_salt_until = timezone.now() + PREVIOUS_SECRET_TTL
    row.save(update_fields=["webhook_salt", "previous_webhook_salt", "previous_webhook_salt_until"])
    return row


def _require_owned(owner_id: Any, fields: Mapping[str, Any]) -> None:
    action = fields.get("action") or {}
    references: list[tuple[type[Project | Template], str, UUID | None]] = [
        (Project, "/project", fields.get("project_id")),
        (Project, "/action/project", _uuid_of("prj", action.get("project"))),
        (Template, "/action/template", _uuid_of("tpl", action.get("template"))),
    ]
    errors = [
        {"pointer": pointer, "code": "not_found", "detail": f"There is no such {model._meta.verbose_name}."}
        for model, pointer, pk in references
        if pk is not None and not model.objects.for_owner(owner_id).filter(pk=pk).exists()
    ]
    if errors:
        raise ActionRefused(errors)


def _uuid_of(prefix: str, text: str | None) -> UUID | None:
    return decode_id(prefix, text) if text else None


def _set_trigger(row: Automation, trigger: Mapping[str, Any]) -> None:
    row.trigger, row.trigger_type = dict(trigger), trigger["type"]
    if row.trigger_type == TriggerType.WEBHOOK:
        row.webhook_salt = row.webhook_salt or new_salt()
    else:
        row.webhook_salt = row.previous_webhook_salt = ""


def _set_action(row: Automation, action: Mapping[str, Any]) -> None:
    row.action, row.action_type = dict(action), action["type"]


def _reset_failures(row: Automation) -> None:
    row.failures, row.paused_at, row.paused_reason = 0, None, ""


def _set_next_run(row: Automation, now: datetime) -> None:
    row.next_run_at = None
    if row.is_active and row.trigger_type == TriggerType.CRON:
        row.next_run_at = next_occurrence(row.trigger["cron"], row.trigger["timezone"], now)
