"""Serializers of the inbox and the notification preferences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from api.serializers import BlankAsNullField, ConstantField, ResourceSerializer, StrictSerializer, TimeField
from core.notifications import notification_kinds
from notifications.models import Notification
from renders.serializers.fields import StrictBooleanField

CHANNELS = ("inbox", "email")


class NotificationSerializer(ResourceSerializer, serializers.ModelSerializer[Notification]):
    """A notification in the inbox."""

    id = serializers.CharField(source="public_id", read_only=True)
    object = ConstantField("notification")
    resource = BlankAsNullField()
    read_at = TimeField(allow_null=True)
    created_at = TimeField()

    class Meta:
        model = Notification
        fields = ["id", "object", "kind", "title", "body", "resource", "read_at", "created_at"]
        read_only_fields = fields


class NotificationChangeSerializer(StrictSerializer):
    """Body of PATCH /notifications/{id}: marks it read or unread."""

    read = StrictBooleanField()


class MarkAllReadSerializer(StrictSerializer):
    """Body of POST /notifications/mark-all-read. before: only earlier notifications. kind: only this kind."""

    before = serializers.DateTimeField(required=False)
    kind = serializers.CharField(max_length=60, required=False)


class MarkAllReadResultSerializer(serializers.Serializer[Any]):
    """Number of notifications that were marked read."""

    object = serializers.ChoiceField(choices=["mark_all_read"])
    marked = serializers.IntegerField()


class UnreadCountSerializer(serializers.Serializer[Any]):
    """Number of unread notifications."""

    object = serializers.ChoiceField(choices=["unread_count"])
    unread = serializers.IntegerField()


class KindPreferenceSerializer(serializers.Serializer[Any]):
    """Channels of one kind of notification. is_default: the user has not chosen any."""

    kind = serializers.CharField()
    summary = serializers.CharField()
    inbox = serializers.BooleanField()
    email = serializers.BooleanField()
    is_default = serializers.BooleanField()


class NotificationPreferencesSerializer(serializers.Serializer[Any]):
    """Channels of every kind of notification."""

    object = serializers.ChoiceField(choices=["notification_preferences"])
    kinds = KindPreferenceSerializer(many=True)


class ChannelsChangeSerializer(StrictSerializer):
    """Channels of one kind of notification; null restores the default."""

    inbox = StrictBooleanField(required=False, allow_null=True)
    email = StrictBooleanField(required=False, allow_null=True)


@extend_schema_field(
    {
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "properties": {channel: {"type": "boolean", "nullable": True} for channel in CHANNELS},
            "additionalProperties": False,
        },
        "example": {"render.succeeded": {"inbox": False, "email": True}},
    }
)
class KindPreferencesField(serializers.Field[Any, Any, Any, Any]):
    """An object of kind -> channel -> true, false or null for the default."""

    def to_internal_value(self, data: Any) -> dict[str, dict[str, bool | None]]:
        """Return the changes by kind; errors are keyed by kind."""
        if not isinstance(data, Mapping):
            raise serializers.ValidationError("This must be an object.", code="invalid_type")
        changes: dict[str, dict[str, bool | None]] = {}
        errors: dict[str, Any] = {}
        for name, channels in data.items():
            body = ChannelsChangeSerializer(data=channels)
            if notification_kinds.get(name) is None:
                errors[name] = [serializers.ErrorDetail("This is not a kind of notification.", code="unknown_kind")]
            elif body.is_valid():
                changes[name] = dict(body.validated_data)
            else:
                errors[name] = body.errors
        if errors:
            raise serializers.ValidationError(errors)
        return changes


class NotificationPreferencesChangeSerializer(StrictSerializer):
    """Body of PATCH /notifications/preferences; omitted kinds and channels keep their values."""

    kinds = KindPreferencesField()
