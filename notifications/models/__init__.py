"""The rows of this app, one module a subject."""

from notifications.models.inbox import Broadcast, Letter, Notification, NotificationQuerySet, Preference
from notifications.models.webhooks import DeliveryAttempt, EndpointHealth, WebhookDelivery, WebhookEndpoint

__all__ = [
    "Broadcast",
    "DeliveryAttempt",
    "EndpointHealth",
    "Letter",
    "Notification",
    "NotificationQuerySet",
    "Preference",
    "WebhookDelivery",
    "WebhookEndpoint",
]
