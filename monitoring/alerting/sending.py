"""Jobs that tell of alerts: a signed webhook, a line for a chat, notices to staff."""

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
from core.notices import notify
from core.times import format_time
from jobs import services as jobs
from jobs.context import JobContext
from jobs.registry import IoSteps
from jobs.snapshot import JobError
from monitoring.alerting.models import AlertMessage, AlertNotice, describe_labels
from monitoring.alerting.outbox import SLACK, STAFF, WEBHOOK, close_notice
from monitoring.alerting.states import Word
from notifications.kinds import SERVICE
from notifications.webhooks.schedule import delay_after
from notifications.webhooks.sending import Message, Reply, send
from outbound.signing import parse_secret
from outbound.targets import AllowHosts

# In one message; the rest is counted. A body stays below 20 KB.
MAX_ALERTS = 20
# Looking the name up, the exchange, and what the machine adds when it is busy.
SEND_LIMIT_S = 45
# Not one of its own: the kinds are shown to every account, and alerts are for staff alone.
KIND = SERVICE
_WORDS = {
    Word.FIRING: "firing",
    Word.WORSE: "firing, and worse",
    Word.REMINDER: "still firing",
    Word.FLAPPING: "flapping: nothing more is said until it is stable",
    Word.RESOLVED: "resolved",
}


@dataclass(frozen=True, slots=True)
class Parcel:
    """What one job sends. message: None for what goes to staff, which is written and not sent."""

    target: str
    notice: AlertNotice
    alerts: Sequence[AlertMessage]
    message: Message | None


def load(context: JobContext) -> Parcel | None:
    """Return what is to be sent; None where it is gone, or its target was taken away."""
    payload = context.job.payload
    notice = AlertNotice.objects.select_related("rule").filter(pk=UUID(payload["notice"])).first()
    if notice is None:
        return None
    alerts = close_notice(notice=notice, now=timezone.now())
    target = str(payload["target"])
    url = {WEBHOOK: settings.RENDEROWL_ALERT_WEBHOOK_URL, SLACK: settings.RENDEROWL_ALERT_SLACK_URL}.get(target, "")
    if not alerts or (target != STAFF and not url):
        return None
    if target == STAFF:
        return Parcel(target, notice, alerts, None)
    is_webhook = target == WEBHOOK
    message = Message(
        url=url,
        message_id=alerts[0].message_id,
        body=describe(notice, alerts) if is_webhook else orjson.dumps({"text": write_text(notice, alerts)}),
        secrets=(parse_secret(settings.RENDEROWL_ALERT_WEBHOOK_SECRET),) if is_webhook else (),
        allow_hosts=_trusted(url),
        ports=settings.RENDEROWL_WEBHOOK_PORTS,
        traceparent=context.job.traceparent,
    )
    return Parcel(target, notice, alerts, message)


def _trusted(url: str) -> AllowHosts:
    """Return the host that the operator has named: unlike one that a client names, it may be on the inside."""
    parts = urlsplit(url)
    own = ((parts.hostname or "").lower(), parts.port)
    return (*settings.RENDEROWL_WEBHOOK_ALLOW_HOSTS, own)


def perform(parcel: Parcel | None) -> tuple[Parcel | None, Reply | None]:
    """Make one attempt."""
    return parcel, send(parcel.message) if parcel is not None and parcel.message is not None else None


def settle(context: JobContext, made: tuple[Parcel | None, Reply | None]) -> None:
    """Write what came of it, together with the end or the next turn of the job.

    Raises LeaseLost if another attempt owns the job by now.
    """
    parcel, reply = made
    with transaction.atomic():
        if parcel is None or reply is None:
            context.complete({"told": _tell_staff(parcel) if parcel is not None else 0})
        elif reply.is_success:
            context.complete({"status_code": reply.status_code})
        else:
            delay_s = delay_after(context.job.failures + 1, retry_after_s=reply.retry_after_s)
            error = JobError(reply.error, reply.detail)
            jobs.fail_attempt(job=context.job, error=error, permanent=reply.is_gone, delay_s=delay_s)
            context.note_ended(error_code=reply.error)


SENDING = IoSteps(load=load, perform=perform, settle=settle)


def describe(notice: AlertNotice, alerts: Sequence[AlertMessage]) -> bytes:
    """Return the JSON of a notice: at every attempt the same, as long as nobody edits the rule."""
    words = {message.word for message in alerts}
    word = words.pop() if len(words) == 1 else "several"
    data: dict[str, Any] = {
        "object": "alert_notice",
        "id": notice.public_id,
        "rule": notice.rule.name,
        "summary": notice.rule.summary,
        "alerts": [_describe_one(message) for message in alerts[:MAX_ALERTS]],
        "more": max(0, len(alerts) - MAX_ALERTS),
    }
    return JsonRenderer().render({"type": f"alert.{word}", "timestamp": format_time(alerts[0].at), "data": data})


def _describe_one(message: AlertMessage) -> dict[str, Any]:
    alert = message.alert
    return {
        "id": alert.public_id,
        "fingerprint": alert.fingerprint,
        "number": message.number,
        "event": message.word,
        "severity": message.severity,
        "value": message.value,
        "labels": alert.labels,
        "at": format_time(message.at),
    }


def write_text(notice: AlertNotice, alerts: Sequence[AlertMessage]) -> str:
    """Return a notice for people."""
    lines = [f"{notice.rule.name}: {notice.rule.summary}"]
    for message in alerts[:MAX_ALERTS]:
        value = f", value {message.value:.4g}" if message.value is not None else ""
        lines.append(
            f"[{message.severity}] {describe_labels(message.alert.labels)} {_WORDS[Word(message.word)]}{value}"
        )
    if len(alerts) > MAX_ALERTS:
        lines.append(f"and {len(alerts) - MAX_ALERTS} more")
    return "\n".join(lines)


def _tell_staff(parcel: Parcel) -> int:
    head, *lines = write_text(parcel.notice, parcel.alerts).split("\n")
    staff = list(User.objects.filter(is_staff=True, is_active=True).values_list("pk", flat=True))
    for user_id in staff:
        notify(
            user_id=user_id,
            kind=KIND.name,
            title=f"Alert: {head}"[:200],
            body="\n".join(lines),
            resource=parcel.alerts[0].alert.public_id,
        )
    return len(staff)
