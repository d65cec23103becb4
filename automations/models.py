"""Models of automations and their runs."""

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
    """Types of trigger."""

    CRON = "cron"
    EVENT = "event"
    WEBHOOK = "webhook"
    MANUAL = "manual"


class ActionType(models.TextChoices):
    """Types of action."""

    RENDER = "render"
    NOTIFY = "notify"


class AutomationRunStatus(models.TextChoices):
    """Status of a run."""

    QUEUED = "queued"
    SUCCEEDED = "succeeded"  # the render was submitted, or the notification sent
    FAILED = "failed"
    SKIPPED = "skipped"  # not run: too many runs, chain too long, or paused in the meantime


def trigger_choices() -> list[tuple[str, str]]:
    """Return the trigger types; a callable, so that a new one needs no migration."""
    return list(TriggerType.choices)


def action_choices() -> list[tuple[str, str]]:
    """Return the action types; a callable like `trigger_choices`."""
    return list(ActionType.choices)


def automation_run_status_choices() -> list[tuple[str, str]]:
    """Return the statuses of a run; a callable like `trigger_choices`."""
    return list(AutomationRunStatus.choices)


class AutomationQuerySet(models.QuerySet["Automation"]):
    """Filters of automations."""

    def for_owner(self, user: Any) -> Self:
        """Return the automations of one user."""
        return self.filter(owner=user)

    def active(self, is_active: bool = True) -> Self:
        """Return the active automations, or the paused ones.

        With `__in`, as Django compiles a boolean test to a bare column, for which SQLite uses no index.
        """
        return self.filter(is_active__in=[is_active])

    def due(self, now: Any) -> Self:
        """Return the due automations, with the condition of idx_automations_due."""
        return self.filter(next_run_at__isnull=False, next_run_at__lte=now)


class Automation(VersionedModel):
    """A trigger and the action it starts.

    trigger, action: as in the API; their types are also in columns. author_scopes: of the credential that set the
    action, which can do no more than that credential.
    next_run_at: the next occurrence of an active cron trigger. webhook_salt: the secret of a webhook trigger is derived
    from it and SECRET_KEY; the previous one is valid until previous_webhook_salt_until.
    failures: consecutive ones; at max_failures the automation is paused, with a paused_reason.
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
            # The active automations of an owner that an event triggers; GET /automations?active=.
            NamedIndex(fields=["owner", "is_active", "trigger_type"], name="idx_automations_user_active"),
            # GET /automations, newest first.
            NamedIndex(fields=["owner", "-created_at", "-id"], name="idx_automations_user_created"),
            # GET /automations?project=; the lookup when a project is deleted.
            NamedIndex(fields=["project", "-created_at", "-id"], name="idx_automations_project"),
            # Due cron triggers.
            NamedIndex(fields=["next_run_at"], name="idx_automations_due", condition=Q(next_run_at__isnull=False)),
            # The admin's list, newest first.
            NamedIndex(fields=["created_at"], name="idx_automations_created"),
        ]

    def __str__(self) -> str:
        return self.name


class AutomationRunQuerySet(models.QuerySet["AutomationRun"]):
    """Filters of runs."""

    def for_owner(self, user: Any) -> Self:
        """Return the runs of one user's automations."""
        return self.filter(owner=user)


class AutomationRun(BaseModel):
    """A run of an automation, from its trigger to its outcome.

    trigger_key: identifies the trigger by occurrence, event, message or client id; unique for each automation.
    input: the trigger's data, `event` in the action's texts; body_sha256: its digest, to detect a reused id with
    other data. request: the interpolated action. chain: the automations whose work led to this run.
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
            # One run for each trigger, however often it fires.
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
            # The run that submitted the render of an event.
            NamedIndex(fields=["render"], name="idx_automation_runs_render", condition=Q(render__isnull=False)),
            # The admin's list, newest first; runs past their retention.
            NamedIndex(fields=["created_at"], name="idx_automation_runs_old"),
        ]

    def __str__(self) -> str:
        return self.trigger_key

    @property
    def is_ended(self) -> bool:
        """Return whether the run has a final status."""
        return self.status != AutomationRunStatus.QUEUED
