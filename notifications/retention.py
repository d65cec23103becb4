"""How long inboxes, letters and deliveries are kept."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet

from core.retention import Retention, retentions
from notifications.models import Letter, Notification, WebhookDelivery
from notifications.models.webhooks import DeliveryStatus


def _keep_notices() -> timedelta:
    return timedelta(days=settings.RENDEROWL_NOTIFICATIONS_RETENTION_DAYS)


def _old_deliveries(moment: datetime) -> QuerySet[WebhookDelivery]:
    """Return old deliveries, whose attempts go with them; pending ones are kept."""
    old = WebhookDelivery.objects.filter(created_at__lt=moment)
    return old.exclude(status=DeliveryStatus.PENDING).order_by("created_at")


retentions.register(
    Retention(
        "notifications",
        _keep_notices,
        lambda moment: Notification.objects.filter(created_at__lt=moment).order_by("created_at"),
    )
)
retentions.register(
    Retention(
        "letters",
        _keep_notices,
        lambda moment: Letter.objects.filter(created_at__lt=moment).order_by("created_at"),
    )
)
retentions.register(
    Retention(
        "webhook deliveries",
        lambda: timedelta(days=settings.RENDEROWL_WEBHOOK_RETENTION_DAYS),
        _old_deliveries,
    )
)
