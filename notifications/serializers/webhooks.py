"""Serializers of webhook endpoints and deliveries."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from api.serializers import (
    BlankAsNullField,
    ConstantField,
    PublicIdField,
    ResourceSerializer,
    StrictSerializer,
    TimeField,
)
from notifications.models import DeliveryAttempt, WebhookDelivery, WebhookEndpoint
from notifications.models.webhooks import DeliveryStatus, DisabledReason
from notifications.webhooks.event_types import PATTERNS, is_pattern
from outbound.exceptions import FetchRefused
from outbound.targets import MAX_URL_LENGTH
from renders.webhook_urls import resolve_webhook_url


class ReceiverUrlField(serializers.CharField):
    """A URL of a receiver, checked against the delivery rules."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=MAX_URL_LENGTH, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Return the URL; raise ValidationError if its scheme, port or address is not allowed."""
        url: str = super().to_internal_value(data)
        try:
            resolve_webhook_url(url)
        except FetchRefused as refusal:
            raise serializers.ValidationError(refusal.detail, code=refusal.reason) from None
        return url


@extend_schema_field(
    {
        "type": "array",
        "minItems": 1,
        "maxItems": len(PATTERNS),
        "items": {"type": "string", "enum": sorted(PATTERNS)},
        "description": "Event types, wildcards such as `render.*`, or `*` for all events.",
    }
)
class WebhookEventsField(serializers.ListField):
    """A list of event types and wildcards to subscribe to."""

    child = serializers.CharField(max_length=60)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_length=1, max_length=len(PATTERNS), **kwargs)

    def to_internal_value(self, data: Any) -> list[str]:
        """Return the patterns without duplicates; errors are keyed by index."""
        names: list[str] = super().to_internal_value(data)
        unknown: Any = {
            index: [serializers.ErrorDetail("This is not an event type or wildcard.", code="unknown_event")]
            for index, name in enumerate(names)
            if not is_pattern(name)
        }
        if unknown:
            raise serializers.ValidationError(unknown)
        return list(dict.fromkeys(names))


class WebhookEndpointCreateSerializer(StrictSerializer):
    """Body of POST /webhooks."""

    url = ReceiverUrlField()
    events = WebhookEventsField()
    description = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class WebhookEndpointChangeSerializer(StrictSerializer):
    """Body of PATCH /webhooks/{id}. status: `disabled` stops deliveries; `enabled` resumes them, health reset."""

    url = ReceiverUrlField(required=False)
    events = WebhookEventsField(required=False)
    description = serializers.CharField(max_length=200, required=False, allow_blank=True)
    status = serializers.ChoiceField(choices=["enabled", "disabled"], required=False)


class WebhookReplaySerializer(StrictSerializer):
    """Body of POST /webhooks/{id}/replay: the time range of the events, until now by default."""

    since = serializers.DateTimeField()
    until = serializers.DateTimeField(required=False)


class WebhookEndpointSerializer(ResourceSerializer, serializers.ModelSerializer[WebhookEndpoint]):
    """An endpoint without its secret. kind `renders`: represents the URLs of single renders."""

    id = serializers.CharField(source="public_id", read_only=True)
    object = ConstantField("webhook_endpoint")
    url = BlankAsNullField()
    status = serializers.SerializerMethodField()
    disabled_reason = serializers.SerializerMethodField()
    disabled_at = TimeField(allow_null=True)
    previous_secret_expires_at = TimeField(source="previous_secret_until", allow_null=True)
    created_at = TimeField()

    class Meta:
        model = WebhookEndpoint
        fields: tuple[str, ...] = (
            "id",
            "object",
            "kind",
            "url",
            "events",
            "description",
            "status",
            "disabled_reason",
            "disabled_at",
            "previous_secret_expires_at",
            "created_at",
        )
        read_only_fields = fields

    @extend_schema_field({"type": "string", "enum": ["enabled", "disabled"]})
    def get_status(self, row: WebhookEndpoint) -> str:
        """Return enabled or disabled."""
        return "enabled" if row.is_enabled else "disabled"

    @extend_schema_field({"type": "string", "enum": [*DisabledReason.values, None], "nullable": True})
    def get_disabled_reason(self, row: WebhookEndpoint) -> str | None:
        """Return the reason, or None for an enabled endpoint."""
        return row.disabled_reason or None


class WebhookEndpointWithSecretSerializer(WebhookEndpointSerializer):
    """An endpoint with its signing secret, which no other response contains."""

    secret = serializers.SerializerMethodField()

    class Meta(WebhookEndpointSerializer.Meta):
        fields = (*WebhookEndpointSerializer.Meta.fields, "secret")
        read_only_fields = fields

    @extend_schema_field({"type": "string", "example": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})
    def get_secret(self, row: WebhookEndpoint) -> str:
        """Return the new secret from the context."""
        secret: str = self.context["secret"]
        return secret


class DeliveryAttemptSerializer(ResourceSerializer, serializers.ModelSerializer[DeliveryAttempt]):
    """One delivery attempt. status_code: null without a response. response_body: the first KB."""

    attempted_at = TimeField(source="created_at")
    error = BlankAsNullField()
    detail = BlankAsNullField()

    class Meta:
        model = DeliveryAttempt
        fields = ("number", "status_code", "duration_s", "error", "detail", "response_body", "attempted_at")
        read_only_fields = fields


class WebhookDeliverySerializer(ResourceSerializer, serializers.ModelSerializer[WebhookDelivery]):
    """A delivery with its attempts; its id is the `webhook-id` of every attempt."""

    id = serializers.CharField(source="public_id", read_only=True)
    object = ConstantField("webhook_delivery")
    endpoint = PublicIdField("whk", source="endpoint_id")
    url = serializers.CharField(source="target_url")
    status = serializers.ChoiceField(choices=DeliveryStatus.values)
    last_error = BlankAsNullField()
    attempts = DeliveryAttemptSerializer(source="history", many=True)
    next_attempt_at = TimeField(allow_null=True)
    created_at = TimeField()
    finished_at = TimeField(allow_null=True)

    class Meta:
        model = WebhookDelivery
        fields: tuple[str, ...] = (
            "id",
            "object",
            "endpoint",
            "url",
            "type",
            "resource",
            "sequence",
            "status",
            "last_status_code",
            "last_error",
            "attempts",
            "next_attempt_at",
            "created_at",
            "finished_at",
        )
        read_only_fields = fields


class WebhookDeliveryDetailSerializer(WebhookDeliverySerializer):
    """A delivery with its attempts and the signed body."""

    class Meta(WebhookDeliverySerializer.Meta):
        fields = (*WebhookDeliverySerializer.Meta.fields, "body")
        read_only_fields = fields


class WebhookReplayResultSerializer(serializers.Serializer[Any]):
    """Number of deliveries that are sent again."""

    object = serializers.ChoiceField(choices=["webhook_replay"])
    replayed = serializers.IntegerField()


class WebhookEventTypeSerializer(serializers.Serializer[Any]):
    """An event type that endpoints can subscribe to. about: the object type of its `data`."""

    type = serializers.CharField()
    object = serializers.ChoiceField(choices=["webhook_event_type"])
    about = serializers.CharField()
    summary = serializers.CharField()


class WebhookEventTypeListSerializer(serializers.Serializer[Any]):
    """All event types, on a single page."""

    object = serializers.ChoiceField(choices=["list"])
    data = WebhookEventTypeSerializer(many=True)  # type: ignore[assignment]
    has_more = serializers.BooleanField()
    next_cursor = serializers.CharField(allow_null=True)
    prev_cursor = serializers.CharField(allow_null=True)


class PaginationSerializer(serializers.Serializer[Any]):
    """Pagination of a list in version 1."""

    page = serializers.IntegerField()
    per_page = serializers.IntegerField()
    total = serializers.IntegerField()
    total_pages = serializers.IntegerField()


class WebhookEventTypeListV1Serializer(serializers.Serializer[Any]):
    """All event types, on a single page, in the list format of version 1."""

    data = WebhookEventTypeSerializer(many=True)  # type: ignore[assignment]
    pagination = PaginationSerializer()
