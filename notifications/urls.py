"""Paths of the API."""

from api.routing import Route
from notifications.views.inbox import NotificationViewSet, PreferencesView
from notifications.views.webhooks import (
    DeliveryViewSet,
    EndpointDeliveriesViewSet,
    EventTypesView,
    EventTypesViewV1,
    WebhookViewSet,
)

api_routes: list[Route] = [
    Route("notifications", NotificationViewSet, "notification-list", {"get": "list"}),
    Route("notifications/mark-all-read", NotificationViewSet, "notification-mark-all-read", {"post": "mark_all_read"}),
    Route("notifications/unread-count", NotificationViewSet, "notification-unread-count", {"get": "unread_count"}),
    Route("notifications/preferences", PreferencesView, "notification-preferences"),
    Route(
        "notifications/<id>",
        NotificationViewSet,
        "notification-detail",
        {"get": "retrieve", "patch": "partial_update"},
    ),
    Route("webhooks", WebhookViewSet, "webhook-list", {"get": "list", "post": "create"}),
    Route("webhooks/events", EventTypesViewV1, "webhook-event-types", until=1),
    Route("webhooks/events", EventTypesView, "webhook-event-types", since=2),
    Route("webhooks/per-render", WebhookViewSet, "webhook-per-render", {"get": "of_renders"}),
    Route(
        "webhooks/<id>",
        WebhookViewSet,
        "webhook-detail",
        {"get": "retrieve", "patch": "partial_update", "delete": "destroy"},
    ),
    Route("webhooks/<id>/deliveries", EndpointDeliveriesViewSet, "webhook-deliveries", {"get": "list"}),
    Route("webhooks/<id>/test", WebhookViewSet, "webhook-test", {"post": "test"}),
    Route("webhooks/<id>/rotate-secret", WebhookViewSet, "webhook-rotate-secret", {"post": "rotate_secret"}),
    Route("webhooks/<id>/replay", WebhookViewSet, "webhook-replay", {"post": "replay"}),
    Route("deliveries/<id>", DeliveryViewSet, "delivery-detail", {"get": "retrieve"}),
    Route("deliveries/<id>/redeliver", DeliveryViewSet, "delivery-redeliver", {"post": "redeliver"}),
]
