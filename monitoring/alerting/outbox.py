"""Alert outbox: stores messages and enqueues their jobs in the transaction of the alert's change."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F

from jobs.services import enqueue
from monitoring.alerting.models import Alert, AlertMessage, AlertNotification, AlertRule
from monitoring.alerting.state_machine import MessageKind, Severity
from notifications.webhooks.backoff import max_attempts

SEND_JOB = "monitoring.send_alert"
QUEUE = "alerts"
WEBHOOK, SLACK, STAFF = "webhook", "slack", "staff"


def write_message(*, alert: Alert, rule: AlertRule, kind: MessageKind, now: datetime) -> AlertMessage:
    """Add a message about an alert to its rule's open notification, or to a new one."""
    return AlertMessage.objects.create(
        alert=alert,
        notification=_open_notification(rule, alert.severity, now),
        number=alert.number,
        kind=kind,
        severity=alert.severity,
        value=alert.value,
        at=now,
    )


def _open_notification(rule: AlertRule, severity: str, now: datetime) -> AlertNotification:
    notification = AlertNotification.objects.filter(rule=rule, closes_at__gt=now, closed_at__isnull=True).first()
    # The update locks the row against closing until this transaction ends, or finds it closed.
    if notification is not None and AlertNotification.objects.filter(pk=notification.pk, closed_at__isnull=True).update(
        closes_at=F("closes_at")
    ):
        return notification
    closes_at = now + timedelta(seconds=settings.RENDEROWL_ALERT_GROUP_S)
    notification = AlertNotification.objects.create(rule=rule, closes_at=closes_at)
    for target in targets_of(severity):
        enqueue(
            type=SEND_JOB,
            payload={"notification": str(notification.pk), "target": target},
            queue=QUEUE,
            run_at=closes_at,
            reference=notification.reference,
            max_attempts=max_attempts(),
        )
    return notification


def targets_of(severity: str) -> list[str]:
    """Return the configured targets; alerts without a severity go to the webhook only."""
    targets = [WEBHOOK] if settings.RENDEROWL_ALERT_WEBHOOK_URL else []
    if severity == Severity.NONE:
        return targets
    return [*targets, *([SLACK] if settings.RENDEROWL_ALERT_SLACK_URL else []), STAFF]


def close_notification(*, notification: AlertNotification, now: datetime) -> list[AlertMessage]:
    """Close a notification to further messages; return its messages, the same at every call."""
    AlertNotification.objects.filter(pk=notification.pk, closed_at__isnull=True).update(closed_at=now)
    messages = AlertMessage.objects.filter(notification=notification).select_related("alert")
    return list(messages.order_by("at", "id"))
