"""Bodies that ask for renders."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from api.serializers import PublicIdField, StrictSerializer
from outbound.exceptions import FetchRefused
from renders.models import RenderPriority
from renders.serializers.fields import EditField, MergeValuesField, MetadataField, RunAtField, StrictBooleanField
from renders.webhook_urls import check_webhook_url

RENDER_EVENTS = ("render.queued", "render.started", "render.succeeded", "render.failed", "render.cancelled")


class RenderWebhookSerializer(StrictSerializer):
    """Where to tell of one render's events."""

    url = serializers.CharField(max_length=2000)
    events = serializers.ListField(
        child=serializers.ChoiceField(choices=RENDER_EVENTS),
        min_length=1,
        max_length=len(RENDER_EVENTS),
        required=False,
    )

    def validate_url(self, value: str) -> str:
        """Refuse what can never be delivered to; where its name leads is judged at each delivery."""
        try:
            check_webhook_url(value)
        except FetchRefused as refusal:
            raise serializers.ValidationError(refusal.detail, code=refusal.reason) from None
        return value


class RenderOptionsSerializer(StrictSerializer):
    """What may be said of a render besides its edit."""

    merge = MergeValuesField(required=False, default=dict)
    project = PublicIdField("prj", required=False, allow_null=True, default=None)
    priority = serializers.ChoiceField(
        choices=RenderPriority.labels, required=False, default=RenderPriority.NORMAL.label
    )
    run_at = RunAtField(required=False, allow_null=True, default=None)
    webhook = RenderWebhookSerializer(required=False, allow_null=True, default=None)
    metadata = MetadataField(required=False, default=dict)
    strict = StrictBooleanField(required=False, default=False)
    dry_run = StrictBooleanField(required=False, default=False)


class RenderCreateSerializer(RenderOptionsSerializer):
    """POST /renders: an edit, or a template with values for its placeholders."""

    edit = EditField(required=False)
    template = PublicIdField("tpl", required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Want exactly one of edit and template."""
        has_edit, has_template = "edit" in attrs, attrs.get("template") is not None
        if has_edit and has_template:
            message = "Give an edit or a template, not both."
            raise serializers.ValidationError({"template": [serializers.ErrorDetail(message, code="conflict")]})
        if not has_edit and not has_template:
            message = "An edit (or a template) is required."
            raise serializers.ValidationError({"edit": [serializers.ErrorDetail(message, code="required")]})
        return attrs


class TemplateRenderSerializer(RenderOptionsSerializer):
    """POST /templates/{id}/render."""


def carries_edit(data: Any) -> bool:
    """Return whether a body has an edit or names a template at all, so that a report on it makes sense."""
    if not isinstance(data, dict):
        return False
    return isinstance(data.get("edit"), dict) or ("edit" not in data and isinstance(data.get("template"), str))
