"""Retention of notifications, emails and deliveries."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet

from core.retention import Retention, retentions
from notifications.models import Notification, OutgoingEmail, WebhookDelivery
from notifications.models.webhooks import DeliveryStatus


def _retention_period() -> timedelta:
    return timedelta(days=settings.RENDEROWL_NOTIFICATIONS_RETENTION_DAYS)


def _old_deliveries(moment: datetime) -> QuerySet[WebhookDelivery]:
    """Return old deliveries, except pending ones; their attempts are deleted by the cascade."""
    old = WebhookDelivery.objects.filter(created_at__lt=moment)
    return old.exclude(status=DeliveryStatus.PENDING).order_by("created_at")


retentions.register(
    Retention(
        "notifications",
        _retention_period,
        lambda moment: Notification.objects.filter(created_at__lt=moment).order_by("created_at"),
    )
)
retentions.register(
    Retention(
        "outgoing emails",
        _retention_period,
        lambda moment: OutgoingEmail.objects.filter(created_at__lt=moment).order_by("created_at"),
    )
)
retentions.register(
    Retention(
        "webhook deliveries",
        lambda: timedelta(days=settings.RENDEROWL_WEBHOOK_RETENTION_DAYS),
        _old_deliveries,
    )
)
