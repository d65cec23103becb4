"""API views of the inbox and the notification preferences."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from api.endpoints import Endpoint
from api.views import ApiView, ApiViewSet
from notifications.filters import NotificationFilterSet
from notifications.models import Notification
from notifications.selectors import preferences_of
from notifications.serializers.inbox import (
    MarkAllReadResultSerializer,
    MarkAllReadSerializer,
    NotificationChangeSerializer,
    NotificationPreferencesChangeSerializer,
    NotificationPreferencesSerializer,
    NotificationSerializer,
    UnreadCountSerializer,
)
from notifications.services.inbox import mark_all_read, mark_notification
from notifications.services.preferences import change_preferences


class NotificationViewSet(ListModelMixin, RetrieveModelMixin, ApiViewSet):
    """The caller's notifications."""

    queryset = Notification.objects.all()
    filterset_class = NotificationFilterSet
    serializers = {"default": NotificationSerializer}
    endpoints = {
        "list": Endpoint("notifications:read"),
        "retrieve": Endpoint("notifications:read", row_etag=True),
        "unread_count": Endpoint("notifications:read"),
        "partial_update": Endpoint("notifications:write"),
        "mark_all_read": Endpoint("notifications:write"),
    }

    @extend_schema(request=NotificationChangeSerializer, responses=NotificationSerializer)
    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """Mark a notification read or unread."""
        row = self.get_object()
        row = mark_notification(notification=row, is_read=self.validated(NotificationChangeSerializer)["read"])
        return Response(NotificationSerializer(row).data)

    @extend_schema(request=MarkAllReadSerializer, responses=MarkAllReadResultSerializer)
    def mark_all_read(self, request: Request, **kwargs: Any) -> Response:
        """Mark all notifications read, or only those before a time or of one kind."""
        marked = mark_all_read(user=request.user, **self.validated(MarkAllReadSerializer))
        return Response(MarkAllReadResultSerializer({"object": "mark_all_read", "marked": marked}).data)

    @extend_schema(responses=UnreadCountSerializer, filters=False)
    def unread_count(self, request: Request, **kwargs: Any) -> Response:
        """Return the number of unread notifications."""
        unread = Notification.objects.for_owner(request.user).unread().count()
        return Response(UnreadCountSerializer({"object": "unread_count", "unread": unread}).data)


class NotificationPreferencesView(ApiView):
    """The caller's notification preferences."""

    endpoints = {
        "get": Endpoint("notifications:read"),
        "patch": Endpoint("notifications:write"),
    }

    @extend_schema(
        operation_id="notification_preferences_retrieve",
        responses=NotificationPreferencesSerializer,
        tags=["notifications"],
    )
    def get(self, request: Request) -> Response:
        """Return the channels of every kind of notification."""
        return self._response(request)

    @extend_schema(
        operation_id="notification_preferences_update",
        request=NotificationPreferencesChangeSerializer,
        responses=NotificationPreferencesSerializer,
        tags=["notifications"],
    )
    def patch(self, request: Request) -> Response:
        """Change the channels of some kinds of notification."""
        body = NotificationPreferencesChangeSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        change_preferences(user=request.user, changes=body.validated_data["kinds"])
        return self._response(request)

    def _response(self, request: Request) -> Response:
        body = {"object": "notification_preferences", "kinds": preferences_of(request.user)}
        return Response(NotificationPreferencesSerializer(body).data)
