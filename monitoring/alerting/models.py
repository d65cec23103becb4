"""Models of alerting: rules, alerts, messages, notifications and silences."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q

from core.indexes import NamedIndex
from core.models import BaseModel
from monitoring.alerting.state_machine import (
    AlertSnapshot,
    AlertState,
    MessageKind,
    NotifiedState,
    Severity,
    Thresholds,
)

MAX_SILENCE = timedelta(days=7)
_SNAPSHOT_COLUMNS = tuple(name for name in AlertSnapshot.__dataclass_fields__ if name != "changes")


def severity_choices() -> list[tuple[str, str]]:
    """Return the choices of `severity`."""
    return list(Severity.choices)


def state_choices() -> list[tuple[str, str]]:
    """Return the choices of `state`."""
    return list(AlertState.choices)


def notified_state_choices() -> list[tuple[str, str]]:
    """Return the choices of `notified_state`."""
    return list(NotifiedState.choices)


def message_kind_choices() -> list[tuple[str, str]]:
    """Return the choices of a message's `kind`."""
    return list(MessageKind.choices)


class AlertRule(BaseModel):
    """A condition that raises alerts. Built-in rules are created once; staff may edit them.

    metric, parameters: see `metrics`. for_s: how long the condition must hold before the alert fires;
    keep_firing_for_s: how long it must be false before it resolves. minimum_samples: fewer never raise an alert.
    """

    ID_PREFIX: ClassVar[str] = "alr"

    name = models.CharField(max_length=60, unique=True)
    summary = models.CharField(max_length=200)
    metric = models.CharField(max_length=60)
    parameters = models.JSONField(default=dict, blank=True)
    fire_above = models.FloatField()
    clear_below = models.FloatField(help_text="At most fire_above.")
    page_above = models.FloatField(null=True, blank=True, help_text="Above this value the severity is page.")
    for_s = models.PositiveIntegerField("seconds before it fires", default=0)
    keep_firing_for_s = models.PositiveIntegerField("seconds before it resolves", default=0)
    severity = models.CharField(max_length=10, choices=severity_choices, default=Severity.TICKET)
    labels = models.JSONField(default=dict, blank=True)
    minimum_samples = models.PositiveIntegerField(default=0)
    reminder_s = models.PositiveIntegerField(default=4 * 3600, validators=[MinValueValidator(60)])
    alerts_on_no_data = models.BooleanField(default=False, help_text="Also alert after 5 minutes without data.")
    is_enabled = models.BooleanField(default=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(clear_below__lte=F("fire_above")), name="alert_rule_clears_below"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def thresholds(self) -> Thresholds:
        """Return the rule as the state machine's input."""
        return Thresholds(
            fire_above=self.fire_above,
            clear_below=self.clear_below,
            for_s=self.for_s,
            keep_firing_for_s=self.keep_firing_for_s,
            severity=self.severity,
            page_above=self.page_above,
            minimum_samples=self.minimum_samples,
            reminder_s=self.reminder_s,
        )


class Alert(BaseModel):
    """One alert per rule and set of labels, kept while the rule exists, so that no two of them can be open.

    fingerprint: SHA-256 of the rule's id and the labels. version: incremented at every change, for compare-and-set.
    number: counts changes of state and messages. value: the last sample.
    The other columns are those of `state_machine.AlertSnapshot`.
    """

    ID_PREFIX: ClassVar[str] = "alt"

    rule = models.ForeignKey(AlertRule, on_delete=models.CASCADE, related_name="alerts", db_index=False)
    fingerprint = models.CharField(max_length=64, unique=True)
    labels = models.JSONField(default=dict)
    version = models.PositiveBigIntegerField(default=0, editable=False)
    number = models.PositiveIntegerField(default=0)
    value = models.FloatField(null=True, blank=True)
    state = models.CharField(max_length=10, choices=state_choices, default=AlertState.INACTIVE)
    since = models.DateTimeField(null=True, blank=True)
    pending_since = models.DateTimeField(null=True, blank=True)
    firing_since = models.DateTimeField(null=True, blank=True)
    clear_since = models.DateTimeField(null=True, blank=True)
    severity = models.CharField(max_length=10, choices=severity_choices, default=Severity.NONE)
    changes = models.JSONField(default=list, blank=True)
    flapping_since = models.DateTimeField(null=True, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    notified_state = models.CharField(max_length=10, choices=notified_state_choices, default=NotifiedState.NOTHING)
    notified_severity = models.CharField(max_length=10, choices=severity_choices, default=Severity.NONE)
    notified_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        permissions: ClassVar = [
            ("acknowledge_alert", "Can acknowledge alerts"),
            ("silence_alert", "Can silence alerts"),
        ]
        indexes: ClassVar = [
            # The admin list, latest change first.
            NamedIndex(fields=["-since", "-id"], name="idx_alerts_since"),
            # Firing alerts: the dashboard, the admin filter.
            NamedIndex(fields=["state"], name="idx_alerts_state"),
            # The alerts of a rule, also for its deletion.
            NamedIndex(fields=["rule"], name="idx_alerts_rule"),
        ]

    def __str__(self) -> str:
        return describe_labels(self.labels)

    @property
    def snapshot(self) -> AlertSnapshot:
        """Return the alert as the state machine's input."""
        columns = {name: getattr(self, name) for name in _SNAPSHOT_COLUMNS}
        return AlertSnapshot(**columns, changes=tuple(datetime.fromisoformat(text) for text in self.changes))

    @property
    def is_open(self) -> bool:
        """Return whether the alert is pending or firing."""
        return self.state in (AlertState.PENDING, AlertState.FIRING)


def columns_of(snapshot: AlertSnapshot) -> dict[str, Any]:
    """Return the columns of an alert that hold a snapshot."""
    columns = {name: getattr(snapshot, name) for name in _SNAPSHOT_COLUMNS}
    return {**columns, "changes": [moment.isoformat() for moment in snapshot.changes]}


def describe_labels(labels: dict[str, str]) -> str:
    """Format labels as text: the name of the rule, then the others in parentheses."""
    rest = ", ".join(f"{name}={value}" for name, value in sorted(labels.items()) if name != "alertname")
    name = labels.get("alertname", "")
    return f"{name} ({rest})" if rest else name


class AlertNotification(BaseModel):
    """A group of messages of one rule that are sent together. closed_at: set once it takes no more messages."""

    ID_PREFIX: ClassVar[str] = "aln"

    rule = models.ForeignKey(AlertRule, on_delete=models.CASCADE, related_name="notifications", db_index=False)
    closes_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [
            # The open notification of a rule; also for the rule's deletion.
            NamedIndex(fields=["rule", "-closes_at"], name="idx_alert_notifications_rule"),
            # The admin list; notifications past their retention.
            NamedIndex(fields=["created_at"], name="idx_alert_notifications_created"),
        ]

    def __str__(self) -> str:
        return f"notification of {self.created_at:%Y-%m-%d %H:%M:%S}"

    @property
    def reference(self) -> str:
        """Return the reference of its jobs."""
        return f"alert-notification:{self.pk}"


class AlertMessage(BaseModel):
    """A message about an alert. number: the alert's at that time; alert and number identify the message."""

    ID_PREFIX: ClassVar[str] = "alm"

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="messages", db_index=False)
    notification = models.ForeignKey(
        AlertNotification, on_delete=models.CASCADE, related_name="messages", db_index=False
    )
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=10, choices=message_kind_choices)
    severity = models.CharField(max_length=10, choices=severity_choices)
    value = models.FloatField(null=True, blank=True)
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            # Prevents duplicate messages; also lists the messages of an alert.
            models.UniqueConstraint(fields=["alert", "number"], name="uniq_alert_message_number"),
        ]
        indexes: ClassVar = [
            # The messages of a notification.
            NamedIndex(fields=["notification", "at", "id"], name="idx_alert_messages_notification"),
            # The admin list, newest first.
            NamedIndex(fields=["-at", "-id"], name="idx_alert_messages_time"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"

    @property
    def message_id(self) -> str:
        """Return the `webhook-id`, the same for every attempt."""
        return f"{self.alert.fingerprint}-{self.number}"


class Silence(BaseModel):
    """A period without messages for alerts that have all of these labels. Their states still change."""

    ID_PREFIX: ClassVar[str] = "sil"

    labels = models.JSONField(help_text='Labels and their values, such as {"alertname": "QueueIsLate"}.')
    reason = models.CharField(max_length=200)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )

    class Meta:
        permissions: ClassVar = [("end_silence", "Can end silences")]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(ends_at__gte=F("starts_at")), name="silence_ends_after_it_starts"),
        ]
        indexes: ClassVar = [
            # Silences in force; the admin list, last to end first.
            NamedIndex(fields=["ends_at"], name="idx_silences_end"),
        ]

    def __str__(self) -> str:
        return describe_labels(self.labels)

    def clean(self) -> None:
        """Refuse silences without labels and those longer than a week."""
        is_text = isinstance(self.labels, dict) and all(isinstance(value, str) for value in self.labels.values())
        if not is_text or not self.labels:
            raise ValidationError({"labels": "Give a JSON object of at least one label; values must be strings."})
        starts_at, ends_at = getattr(self, "starts_at", None), getattr(self, "ends_at", None)
        if starts_at and ends_at and not timedelta() < ends_at - starts_at <= MAX_SILENCE:
            raise ValidationError({"ends_at": "The end must be after the start, at most 7 days later."})

    def covers(self, labels: dict[str, str]) -> bool:
        """Return whether an alert with these labels is silenced."""
        return all(labels.get(name) == value for name, value in self.labels.items())


class EvaluatorLease(BaseModel):
    """The lease of the worker that evaluates the rules; a single row."""

    ID_PREFIX: ClassVar[str] = "evl"

    name = models.CharField(max_length=20, unique=True)
    holder = models.CharField(max_length=120, blank=True, default="")
    expires_at = models.DateTimeField()
    evaluated_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.holder


class HealthSample(BaseModel):
    """The last result of a health check, sampled every minute. level: 0 pass, 1 warn, 2 fail and critical."""

    ID_PREFIX: ClassVar[str] = "hls"

    check_name = models.CharField("check", max_length=40, unique=True)
    level = models.PositiveSmallIntegerField()
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.check_name
