"""What is to be done when, and every time that it was."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from core.indexes import NamedIndex
from core.models import BaseModel, VersionedModel
from renders.models import Project, Render


class TriggerType(models.TextChoices):
    """What sets an automation off."""

    CRON = "cron"
    EVENT = "event"
    WEBHOOK = "webhook"
    MANUAL = "manual"


class ActionType(models.TextChoices):
    """What an automation does."""

    RENDER = "render"
    NOTIFY = "notify"


class AutomationRunStatus(models.TextChoices):
    """How far a run got."""

    QUEUED = "queued"
    SUCCEEDED = "succeeded"  # the render was submitted, the notification given
    FAILED = "failed"
    SKIPPED = "skipped"  # triggered, but not to be done: too many runs, too long a chain, paused meanwhile


def trigger_choices() -> list[tuple[str, str]]:
    """Return the types of trigger; a callable, so that a new one needs no migration."""
    return list(TriggerType.choices)


def action_choices() -> list[tuple[str, str]]:
    """Return the types of action."""
    return list(ActionType.choices)


def automation_run_status_choices() -> list[tuple[str, str]]:
    """Return the states of a run."""
    return list(AutomationRunStatus.choices)


class AutomationQuerySet(models.QuerySet["Automation"]):
    """Questions about automations."""

    def for_owner(self, user: Any) -> Self:
        """Return the automations of one user."""
        return self.filter(owner=user)

    def active(self, is_active: bool = True) -> Self:
        """Return those that can be set off, or the paused ones.

        A list of one, as Django writes a plain test of a boolean without an operator, which no index of SQLite serves.
        """
        return self.filter(is_active__in=[is_active])

    def due(self, now: Any) -> Self:
        """Return those whose occurrence has come, as idx_automations_due puts it."""
        return self.filter(next_run_at__isnull=False, next_run_at__lte=now)


class Automation(VersionedModel):
    """One trigger and one action.

    trigger, action: as the API shows them, their types in columns as well. author_scopes: of the credential that gave
    the action; an action never does what that credential could not.
    next_run_at: the next occurrence of an active cron trigger. webhook_salt: from which, with SECRET_KEY, the secret of
    a webhook trigger is derived; the previous one counts until previous_webhook_salt_until.
    failures: in a row; at max_failures the automation is paused, and paused_reason says so.
    """

    ID_PREFIX: ClassVar[str] = "aut"

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="automations", db_index=False
    )
    project = models.ForeignKey(
        Project, null=True, blank=True, on_delete=models.SET_NULL, related_name="automations", db_index=False
    )
    name = models.CharField(max_length=200)
    is_active = models.BooleanField(default=True)
    trigger_type = models.CharField(max_length=10, choices=trigger_choices)
    trigger = models.JSONField()
    action_type = models.CharField(max_length=10, choices=action_choices)
    action = models.JSONField()
    author_scopes = models.JSONField(default=list, editable=False)
    runs_per_hour = models.PositiveIntegerField(default=60)
    max_failures = models.PositiveIntegerField(default=5)
    next_run_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_triggered_at = models.DateTimeField(null=True, blank=True, editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False)
    paused_at = models.DateTimeField(null=True, blank=True, editable=False)
    paused_reason = models.CharField(max_length=200, blank=True, default="", editable=False)
    webhook_salt = models.CharField(max_length=64, blank=True, default="", editable=False)
    previous_webhook_salt = models.CharField(max_length=64, blank=True, default="", editable=False)
    previous_webhook_salt_until = models.DateTimeField(null=True, blank=True, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = AutomationQuerySet.as_manager()

    class Meta:
        permissions: ClassVar = [
            ("run_automation", "Can run automations now"),
            ("pause_automation", "Can pause and resume automations"),
        ]
        indexes: ClassVar = [
            # Which active automations of an owner an event sets off; GET /automations?active=.
            NamedIndex(fields=["owner", "is_active", "trigger_type"], name="idx_automations_user_active"),
            # GET /automations, newest first.
            NamedIndex(fields=["owner", "-created_at", "-id"], name="idx_automations_user_created"),
            # GET /automations?project=; what deleting a project looks for.
            NamedIndex(fields=["project", "-created_at", "-id"], name="idx_automations_project"),
            # Cron triggers that have come due.
            NamedIndex(fields=["next_run_at"], name="idx_automations_due", condition=Q(next_run_at__isnull=False)),
            # The admin's list, newest first.
            NamedIndex(fields=["created_at"], name="idx_automations_created"),
        ]

    def __str__(self) -> str:
        return self.name


class AutomationRunQuerySet(models.QuerySet["AutomationRun"]):
    """Questions about runs."""

    def for_owner(self, user: Any) -> Self:
        """Return the runs of one user's automations."""
        return self.filter(owner=user)

    def counted(self) -> Self:
        """Return the runs that count for limits."""
        return self.exclude(status=AutomationRunStatus.SKIPPED)


class AutomationRun(BaseModel):
    """One time that an automation was set off, from the trigger to what came of it.

    trigger_key: names the trigger: the occurrence, the event, the message, the client's own id. One run for each.
    input: what came with the trigger, as `event` in the action's texts; body_sha256: of its data, so that one id for
    two messages is noticed. request: the action with its texts filled. chain: the automations whose work led here.
    """

    ID_PREFIX: ClassVar[str] = "arn"

    automation = models.ForeignKey(Automation, on_delete=models.CASCADE, related_name="runs", db_index=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    trigger_type = models.CharField(max_length=10, choices=trigger_choices)
    trigger_key = models.CharField(max_length=200)
    status = models.CharField(max_length=10, choices=automation_run_status_choices, default=AutomationRunStatus.QUEUED)
    input = models.JSONField(default=dict)
    body_sha256 = models.CharField(max_length=64, blank=True, default="")
    request = models.JSONField(null=True, blank=True)
    render = models.ForeignKey(
        Render, null=True, blank=True, on_delete=models.SET_NULL, related_name="automation_runs", db_index=False
    )
    error = models.JSONField(null=True, blank=True)
    chain = models.JSONField(default=list, blank=True)
    job_id = models.UUIDField(null=True, blank=True, editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = AutomationRunQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            # One run a trigger, whoever fires it how often.
            models.UniqueConstraint(F("automation"), F("trigger_key"), name="idx_automation_runs_trigger"),
            models.CheckConstraint(
                name="automations_ended_run_has_time",
                condition=Q(status="queued", finished_at__isnull=True)
                | (~Q(status="queued") & Q(finished_at__isnull=False)),
            ),
        ]
        indexes: ClassVar = [
            # GET /automations/{id}/runs, newest first; the runs of the last hour.
            NamedIndex(fields=["automation", "-created_at", "-id"], name="idx_automation_runs_created"),
            # The runs of an account within the last hour.
            NamedIndex(fields=["owner", "created_at"], name="idx_automation_runs_owner"),
            # Which automation made the render that an event is about.
            NamedIndex(fields=["render"], name="idx_automation_runs_render", condition=Q(render__isnull=False)),
            # The admin's list, newest first; runs past their retention.
            NamedIndex(fields=["created_at"], name="idx_automation_runs_old"),
        ]

    def __str__(self) -> str:
        return self.trigger_key

    @property
    def is_ended(self) -> bool:
        """Return whether there is nothing left to do."""
        return self.status != AutomationRunStatus.QUEUED
