"""Delivery of alert notifications: signed webhooks, Slack messages and staff notifications."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import orjson
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from api.renderers import JsonRenderer
from core.notifications import notify
from core.times import format_time
from jobs import services as jobs
from jobs.context import JobContext
from jobs.registry import IoSteps
from jobs.snapshot import JobError
from monitoring.alerting.models import AlertMessage, AlertNotification, describe_labels
from monitoring.alerting.outbox import SLACK, STAFF, WEBHOOK, close_notification
from monitoring.alerting.state_machine import MessageKind
from notifications.notification_kinds import SERVICE
from notifications.webhooks.backoff import retry_delay
from notifications.webhooks.sending import DeliveryResult, WebhookMessage, send
from outbound.signing import parse_secret
from outbound.targets import AllowHosts

# Further alerts are only counted, which keeps a body below 20 KB.
MAX_ALERTS = 20
# Covers name resolution, the exchange, and delays on a busy machine.
SEND_TIMEOUT_S = 45
# No kind of their own: every account sees the kinds, but only staff get alerts.
KIND = SERVICE
_KIND_TEXTS = {
    MessageKind.FIRING: "firing",
    MessageKind.WORSE: "firing, severity raised",
    MessageKind.REMINDER: "still firing",
    MessageKind.FLAPPING: "flapping; no more messages until it is stable",
    MessageKind.RESOLVED: "resolved",
}


@dataclass(frozen=True, slots=True)
class AlertPayload:
    """What one job delivers. message: None for staff, whose notifications are rows."""

    target: str
    notification: AlertNotification
    alerts: Sequence[AlertMessage]
    message: WebhookMessage | None


def load(context: JobContext) -> AlertPayload | None:
    """Return what to deliver; None if the notification is gone or its target is no longer configured."""
    arguments = context.job.payload
    notification = AlertNotification.objects.select_related("rule").filter(pk=UUID(arguments["notification"])).first()
    if notification is None:
        return None
    alerts = close_notification(notification=notification, now=timezone.now())
    target = str(arguments["target"])
    url = {WEBHOOK: settings.RENDEROWL_ALERT_WEBHOOK_URL, SLACK: settings.RENDEROWL_ALERT_SLACK_URL}.get(target, "")
    if not alerts or (target != STAFF and not url):
        return None
    if target == STAFF:
        return AlertPayload(target, notification, alerts, None)
    is_webhook = target == WEBHOOK
    message = WebhookMessage(
        url=url,
        message_id=alerts[0].message_id,
        body=render_webhook_body(notification, alerts)
        if is_webhook
        else orjson.dumps({"text": format_text(notification, alerts)}),
        secrets=(parse_secret(settings.RENDEROWL_ALERT_WEBHOOK_SECRET),) if is_webhook else (),
        allow_hosts=_allowed_hosts(url),
        ports=settings.RENDEROWL_WEBHOOK_PORTS,
        traceparent=context.job.traceparent,
    )
    return AlertPayload(target, notification, alerts, message)


def _allowed_hosts(url: str) -> AllowHosts:
    # The operator, not a client, chose this host, so it may be a private address.
    parts = urlsplit(url)
    return (*settings.RENDEROWL_WEBHOOK_ALLOW_HOSTS, ((parts.hostname or "").lower(), parts.port))


def perform(payload: AlertPayload | None) -> tuple[AlertPayload | None, DeliveryResult | None]:
    """Send the message, if any, in one attempt."""
    return payload, send(payload.message) if payload is not None and payload.message is not None else None


def record(context: JobContext, outcome: tuple[AlertPayload | None, DeliveryResult | None]) -> None:
    """Complete the job or schedule its retry. Raises LeaseLost if another attempt owns the job by now."""
    payload, result = outcome
    with transaction.atomic():
        if payload is None or result is None:
            context.complete({"notified": _notify_staff(payload) if payload is not None else 0})
        elif result.is_success:
            context.complete({"status_code": result.status_code})
        else:
            delay_s = retry_delay(context.job.failures + 1, retry_after_s=result.retry_after_s)
            error = JobError(result.error, result.detail)
            jobs.fail_attempt(job=context.job, error=error, permanent=result.is_gone, delay_s=delay_s)
            context.mark_failed(error_code=result.error)


DELIVERY_STEPS = IoSteps(load=load, perform=perform, record=record)


def render_webhook_body(notification: AlertNotification, alerts: Sequence[AlertMessage]) -> bytes:
    """Return the JSON of a notification; retries send the same bytes unless the rule was edited."""
    kinds = {message.kind for message in alerts}
    kind = kinds.pop() if len(kinds) == 1 else "several"
    data: dict[str, Any] = {
        "object": "alert_notification",
        "id": notification.public_id,
        "rule": notification.rule.name,
        "summary": notification.rule.summary,
        "alerts": [_render_alert(message) for message in alerts[:MAX_ALERTS]],
        "more": max(0, len(alerts) - MAX_ALERTS),
    }
    return JsonRenderer().render({"type": f"alert.{kind}", "timestamp": format_time(alerts[0].at), "data": data})


def _render_alert(message: AlertMessage) -> dict[str, Any]:
    alert = message.alert
    return {
        "id": alert.public_id,
        "fingerprint": alert.fingerprint,
        "number": message.number,
        "event": message.kind,
        "severity": message.severity,
        "value": message.value,
        "labels": alert.labels,
        "at": format_time(message.at),
    }


def format_text(notification: AlertNotification, alerts: Sequence[AlertMessage]) -> str:
    """Return a notification as plain text, one line per alert."""
    lines = [f"{notification.rule.name}: {notification.rule.summary}"]
    for message in alerts[:MAX_ALERTS]:
        value = f", value {message.value:.4g}" if message.value is not None else ""
        text = _KIND_TEXTS[MessageKind(message.kind)]
        lines.append(f"[{message.severity}] {describe_labels(message.alert.labels)} {text}{value}")
    if len(alerts) > MAX_ALERTS:
        lines.append(f"and {len(alerts) - MAX_ALERTS} more")
    return "\n".join(lines)


def _notify_staff(payload: AlertPayload) -> int:
    head, *lines = format_text(payload.notification, payload.alerts).split("\n")
    staff = list(User.objects.filter(is_staff=True, is_active=True).values_list("pk", flat=True))
    for user_id in staff:
        notify(
            user_id=user_id,
            kind=KIND.name,
            title=f"Alert: {head}"[:200],
            body="\n".join(lines),
            resource=payload.alerts[0].alert.public_id,
        )
    return len(staff)
