"""Models of notifications, one module per subject."""

from notifications.models.inbox import (
    Broadcast,
    Notification,
    NotificationPreference,
    NotificationQuerySet,
    OutgoingEmail,
)
from notifications.models.webhooks import DeliveryAttempt, WebhookDelivery, WebhookEndpoint, WebhookEndpointHealth

__all__ = [
    "Broadcast",
    "DeliveryAttempt",
    "Notification",
    "NotificationPreference",
    "NotificationQuerySet",
    "OutgoingEmail",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookEndpointHealth",
]
