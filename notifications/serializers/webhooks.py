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
    """A URL that events can be delivered to."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=MAX_URL_LENGTH, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Return the URL, or refuse one that nothing would ever be delivered to."""
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
        "description": "Types, or families such as `render.*`; `*` for everything.",
    }
)
class WebhookEventsField(serializers.ListField):
    """Which events to be told of."""

    child = serializers.CharField(max_length=60)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_length=1, max_length=len(PATTERNS), **kwargs)

    def to_internal_value(self, data: Any) -> list[str]:
        """Return the types and families, each once; refuse those that do not exist, each at its place."""
        names: list[str] = super().to_internal_value(data)
        unknown: Any = {
            index: [serializers.ErrorDetail("There is no such type of event.", code="unknown_event")]
            for index, name in enumerate(names)
            if not is_pattern(name)
        }
        if unknown:
            raise serializers.ValidationError(unknown)
        return list(dict.fromkeys(names))


class WebhookEndpointCreateSerializer(StrictSerializer):
    """POST /webhooks."""

    url = ReceiverUrlField()
    events = WebhookEventsField()
    description = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class WebhookEndpointChangeSerializer(StrictSerializer):
    """PATCH /webhooks/{id}. status: `disabled` stops deliveries, `enabled` starts them with a clean record."""

    url = ReceiverUrlField(required=False)
    events = WebhookEventsField(required=False)
    description = serializers.CharField(max_length=200, required=False, allow_blank=True)
    status = serializers.ChoiceField(choices=["enabled", "disabled"], required=False)


class WebhookReplaySerializer(StrictSerializer):
    """POST /webhooks/{id}/replay: which events, by when they happened."""

    since = serializers.DateTimeField()
    until = serializers.DateTimeField(required=False)


class WebhookEndpointSerializer(ResourceSerializer, serializers.ModelSerializer[WebhookEndpoint]):
    """An endpoint, without its secret. kind `renders` stands for the URLs that single renders name."""

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
        """Return whether events are delivered."""
        return "enabled" if row.is_enabled else "disabled"

    @extend_schema_field({"type": "string", "enum": [*DisabledReason.values, None], "nullable": True})
    def get_disabled_reason(self, row: WebhookEndpoint) -> str | None:
        """Return who or what disabled it."""
        return row.disabled_reason or None


class WebhookEndpointWithSecretSerializer(WebhookEndpointSerializer):
    """An endpoint with the secret that signs its deliveries; this is the only answer that has it."""

    secret = serializers.SerializerMethodField()

    class Meta(WebhookEndpointSerializer.Meta):
        fields = (*WebhookEndpointSerializer.Meta.fields, "secret")
        read_only_fields = fields

    @extend_schema_field({"type": "string", "example": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})
    def get_secret(self, row: WebhookEndpoint) -> str:
        """Return the secret that the service has just made."""
        secret: str = self.context["secret"]
        return secret


class DeliveryAttemptSerializer(ResourceSerializer, serializers.ModelSerializer[DeliveryAttempt]):
    """One attempt. status_code: null where there was no answer. response_body: its first KB."""

    attempted_at = TimeField(source="created_at")
    error = BlankAsNullField()
    detail = BlankAsNullField()

    class Meta:
        model = DeliveryAttempt
        fields = ("number", "status_code", "duration_s", "error", "detail", "response_body", "attempted_at")
        read_only_fields = fields


class WebhookDeliverySerializer(ResourceSerializer, serializers.ModelSerializer[WebhookDelivery]):
    """A delivery; its id is the `webhook-id` of every attempt."""

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
    """A delivery with its body, as it is signed and sent."""

    class Meta(WebhookDeliverySerializer.Meta):
        fields = (*WebhookDeliverySerializer.Meta.fields, "body")
        read_only_fields = fields


class WebhookReplayResultSerializer(serializers.Serializer[Any]):
    """How many deliveries are sent again."""

    object = serializers.ChoiceField(choices=["webhook_replay"])
    replayed = serializers.IntegerField()


class WebhookEventTypeSerializer(serializers.Serializer[Any]):
    """A type of event that endpoints can be told of. about: the object that its `data` is."""

    type = serializers.CharField()
    object = serializers.ChoiceField(choices=["webhook_event_type"])
    about = serializers.CharField()
    summary = serializers.CharField()


class WebhookEventTypeListSerializer(serializers.Serializer[Any]):
    """All types of event, on one page."""

    object = serializers.ChoiceField(choices=["list"])
    data = WebhookEventTypeSerializer(many=True)  # type: ignore[assignment]
    has_more = serializers.BooleanField()
    next_cursor = serializers.CharField(allow_null=True)
    prev_cursor = serializers.CharField(allow_null=True)


class PaginationSerializer(serializers.Serializer[Any]):
    """Totals of a list in version 1."""

    page = serializers.IntegerField()
    per_page = serializers.IntegerField()
    total = serializers.IntegerField()
    total_pages = serializers.IntegerField()


class WebhookEventTypeListV1Serializer(serializers.Serializer[Any]):
    """All types of event, on one page, as version 1 has lists."""

    data = WebhookEventTypeSerializer(many=True)  # type: ignore[assignment]
    pagination = PaginationSerializer()
