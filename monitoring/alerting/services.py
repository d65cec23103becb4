"""Actions of staff on alerts and silences."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts.services import record_audit
from core.ids import encode_id
from monitoring.alerting.models import Alert, Silence, describe_labels
from monitoring.alerting.state_machine import AlertState


@transaction.atomic
def acknowledge_alert(*, alert_id: UUID, user: Any) -> bool:
    """Acknowledge a firing alert, which stops its reminders; return whether that changed anything."""
    firing = Alert.objects.filter(pk=alert_id, state=AlertState.FIRING, acknowledged_at__isnull=True)
    # The new version makes the write of an evaluator that read the row before fail; it evaluates again.
    changed = firing.update(acknowledged_at=timezone.now(), acknowledged_by=user, version=F("version") + 1)
    if changed:
        record_audit(action="alert.acknowledged", subject=encode_id(Alert.ID_PREFIX, alert_id), actor=user)
    return bool(changed)


@transaction.atomic
def silence_alert(*, alert: Alert, duration: timedelta, user: Any, reason: str) -> Silence:
    """Silence all alerts with the labels of this one. Raises ValidationError if that is longer than a week."""
    now = timezone.now()
    silence = Silence(labels=dict(alert.labels), reason=reason, starts_at=now, ends_at=now + duration, created_by=user)
    silence.full_clean()
    silence.save()
    details = {"alert": alert.public_id, "labels": describe_labels(alert.labels)}
    record_audit(action="alert.silenced", subject=silence.public_id, actor=user, details=details)
    return silence


@transaction.atomic
def end_silence(*, silence_id: UUID, user: Any, now: datetime | None = None) -> bool:
    """End a silence now; return whether it had not ended. Alerts that still fire send their message afterwards."""
    now = now or timezone.now()
    ended = Silence.objects.filter(pk=silence_id, ends_at__gt=now, starts_at__lte=now).update(ends_at=now)
    # A silence that has not started never will.
    ended += Silence.objects.filter(pk=silence_id, starts_at__gt=now).update(starts_at=now, ends_at=now)
    if ended:
        record_audit(action="silence.ended", subject=encode_id(Silence.ID_PREFIX, silence_id), actor=user)
    return bool(ended)
