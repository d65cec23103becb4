"""Serializers of requests for renders."""

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
    """Webhook for the events of one render."""

    url = serializers.CharField(max_length=2000)
    events = serializers.ListField(
        child=serializers.ChoiceField(choices=RENDER_EVENTS),
        min_length=1,
        max_length=len(RENDER_EVENTS),
        required=False,
    )

    def validate_url(self, value: str) -> str:
        """Refuse a URL that is never allowed; its host is resolved and checked at each delivery."""
        try:
            check_webhook_url(value)
        except FetchRefused as refusal:
            raise serializers.ValidationError(refusal.detail, code=refusal.reason) from None
        return value


class RenderOptionsSerializer(StrictSerializer):
    """Options of a render besides its edit or template."""

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
    """POST /renders: an edit, or a template with values of its placeholders."""

    edit = EditField(required=False)
    template = PublicIdField("tpl", required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Require exactly one of edit and template."""
        require_edit_or_template(attrs)
        return attrs


class TemplateRenderSerializer(RenderOptionsSerializer):
    """POST /templates/{id}/render."""


def require_edit_or_template(attrs: dict[str, Any]) -> None:
    """Raise ValidationError unless a body has exactly one of edit and template."""
    has_edit, has_template = "edit" in attrs, attrs.get("template") is not None
    if has_edit and has_template:
        raise member_error("template", "Give an edit or a template, not both.", "conflict")
    if not has_edit and not has_template:
        raise member_error("edit", "An edit (or a template) is required.", "required")


def member_error(member: str, message: str, code: str) -> serializers.ValidationError:
    """Return the error of one member of a body."""
    return serializers.ValidationError({member: [serializers.ErrorDetail(message, code=code)]})


def carries_edit(data: Any) -> bool:
    """Return whether an unvalidated body has an edit or names a template, so that it can be reported on."""
    if not isinstance(data, dict):
        return False
    return isinstance(data.get("edit"), dict) or ("edit" not in data and isinstance(data.get("template"), str))
