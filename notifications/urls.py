"""API routes of notifications and webhooks."""

from api.routing import Route
from notifications.views.inbox import NotificationPreferencesView, NotificationViewSet
from notifications.views.webhooks import (
    EndpointDeliveryViewSet,
    WebhookDeliveryViewSet,
    WebhookEndpointViewSet,
    WebhookEventTypesView,
    WebhookEventTypesViewV1,
)

api_routes: list[Route] = [
    Route("notifications", NotificationViewSet, "notification-list", {"get": "list"}),
    Route("notifications/mark-all-read", NotificationViewSet, "notification-mark-all-read", {"post": "mark_all_read"}),
    Route("notifications/unread-count", NotificationViewSet, "notification-unread-count", {"get": "unread_count"}),
    Route("notifications/preferences", NotificationPreferencesView, "notification-preferences"),
    Route(
        "notifications/<id>",
        NotificationViewSet,
        "notification-detail",
        {"get": "retrieve", "patch": "partial_update"},
    ),
    Route("webhooks", WebhookEndpointViewSet, "webhook-list", {"get": "list", "post": "create"}),
    Route("webhooks/events", WebhookEventTypesViewV1, "webhook-event-types", until=1),
    Route("webhooks/events", WebhookEventTypesView, "webhook-event-types", since=2),
    Route("webhooks/per-render", WebhookEndpointViewSet, "webhook-per-render", {"get": "of_renders"}),
    Route(
        "webhooks/<id>",
        WebhookEndpointViewSet,
        "webhook-detail",
        {"get": "retrieve", "patch": "partial_update", "delete": "destroy"},
    ),
    Route("webhooks/<id>/deliveries", EndpointDeliveryViewSet, "webhook-deliveries", {"get": "list"}),
    Route("webhooks/<id>/test", WebhookEndpointViewSet, "webhook-test", {"post": "test"}),
    Route("webhooks/<id>/rotate-secret", WebhookEndpointViewSet, "webhook-rotate-secret", {"post": "rotate_secret"}),
    Route("webhooks/<id>/replay", WebhookEndpointViewSet, "webhook-replay", {"post": "replay"}),
    Route("deliveries/<id>", WebhookDeliveryViewSet, "delivery-detail", {"get": "retrieve"}),
    Route("deliveries/<id>/redeliver", WebhookDeliveryViewSet, "delivery-redeliver", {"post": "redeliver"}),
]
