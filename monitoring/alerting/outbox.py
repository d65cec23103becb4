"""Messages of alerts, in the transaction of the change that they tell of; and the jobs that send them."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F

from jobs.services import enqueue
from monitoring.alerting.models import Alert, AlertMessage, AlertNotice, AlertRule
from monitoring.alerting.states import Severity, Word
from notifications.webhooks.schedule import most_attempts

SEND_JOB = "monitoring.send_alert"
QUEUE = "alerts"
WEBHOOK, SLACK, STAFF = "webhook", "slack", "staff"


def write_message(*, alert: Alert, rule: AlertRule, word: Word, now: datetime) -> AlertMessage:
    """Have something said of an alert, together with what else its rule says within the next seconds."""
    return AlertMessage.objects.create(
        alert=alert,
        notice=_open_notice(rule, alert.severity, now),
        number=alert.number,
        word=word,
        severity=alert.severity,
        value=alert.value,
        at=now,
    )


def _open_notice(rule: AlertRule, severity: str, now: datetime) -> AlertNotice:
    notice = AlertNotice.objects.filter(rule=rule, closes_at__gt=now, closed_at__isnull=True).first()
    # The update keeps the row from being closed before this transaction is over, or finds it closed.
    if notice is not None and AlertNotice.objects.filter(pk=notice.pk, closed_at__isnull=True).update(
        closes_at=F("closes_at")
    ):
        return notice
    closes_at = now + timedelta(seconds=settings.RENDEROWL_ALERT_GROUP_S)
    notice = AlertNotice.objects.create(rule=rule, closes_at=closes_at)
    for target in targets_of(severity):
        enqueue(
            type=SEND_JOB,
            payload={"notice": str(notice.pk), "target": target},
            queue=QUEUE,
            run_at=closes_at,
            reference=notice.reference,
            max_attempts=most_attempts(),
        )
    return notice


def targets_of(severity: str) -> list[str]:
    """Return who is told: programs of everything, people only of what is for people."""
    targets = [WEBHOOK] if settings.RENDEROWL_ALERT_WEBHOOK_URL else []
    if severity == Severity.NONE:
        return targets
    return [*targets, *([SLACK] if settings.RENDEROWL_ALERT_SLACK_URL else []), STAFF]


def close_notice(*, notice: AlertNotice, now: datetime) -> list[AlertMessage]:
    """Let no more messages into a notice; return those that are in it, the same ones whenever it is asked."""
    AlertNotice.objects.filter(pk=notice.pk, closed_at__isnull=True).update(closed_at=now)
    messages = AlertMessage.objects.filter(notice=notice).select_related("alert")
    return list(messages.order_by("at", "id"))
