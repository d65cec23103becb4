"""Serializers of automations, with their triggers, actions and runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from api.routing import absolute_url
from api.serializers import BlankAsNullField, ConstantField, PublicIdField, StrictSerializer, TimeField
from automations.actions import INTERPOLATED_MEMBERS
from automations.cron import check_schedule, is_zone
from automations.interpolation import find_invalid_expressions
from automations.limits import MAX_ACTION_BYTES, MAX_INPUT_BYTES
from automations.models import Automation, AutomationRun, AutomationRunStatus, TriggerType
from automations.subscribers import TRIGGER_EVENTS
from automations.webhook_secrets import WEBHOOK_PATH, formatted_secret
from core.ids import encode_id
from renders.models import RenderPriority
from renders.serializers.fields import MergeValuesField, MetadataField, ObjectField, StrictBooleanField
from renders.serializers.renders import IssueSerializer, ValidationResultSerializer
from renders.serializers.requests import RenderWebhookSerializer

MAX_RUNS_PER_HOUR = 3600
MAX_FAILURES = 1000


class CronTriggerSerializer(StrictSerializer):
    """Triggers on a cron schedule."""

    type = serializers.CharField()
    cron = serializers.CharField(max_length=100)
    timezone = serializers.CharField(max_length=60, default="UTC")

    def validate_cron(self, value: str) -> str:
        """Refuse invalid cron expressions."""
        try:
            check_schedule(value)
        except ValueError as error:
            raise serializers.ValidationError(str(error), code="invalid_cron") from error
        return value

    def validate_timezone(self, value: str) -> str:
        """Refuse unknown time zones."""
        if not is_zone(value):
            raise serializers.ValidationError("This time zone is unknown.", code="unknown_timezone")
        return value


class EventFilterSerializer(StrictSerializer):
    """Filters events by project, template and metadata."""

    project = PublicIdField("prj", required=False, allow_null=True)
    template = PublicIdField("tpl", required=False, allow_null=True)
    metadata = MetadataField(required=False)


class EventTriggerSerializer(StrictSerializer):
    """Triggers on events of the account."""

    type = serializers.CharField()
    events = serializers.ListField(
        child=serializers.ChoiceField(choices=TRIGGER_EVENTS), min_length=1, max_length=len(TRIGGER_EVENTS)
    )
    filter = EventFilterSerializer(required=False)


class PlainTriggerSerializer(StrictSerializer):
    """Triggers on a signed webhook, or manually."""

    type = serializers.CharField()


class RenderActionSerializer(StrictSerializer):
    """Submits a render of a template."""

    type = serializers.CharField()
    template = PublicIdField("tpl")
    merge = MergeValuesField(required=False)
    project = PublicIdField("prj", required=False, allow_null=True)
    priority = serializers.ChoiceField(choices=RenderPriority.labels, required=False)
    metadata = MetadataField(required=False)
    webhook = RenderWebhookSerializer(required=False, allow_null=True)
    strict = StrictBooleanField(required=False)


class NotifyActionSerializer(StrictSerializer):
    """Sends the owner a notification."""

    type = serializers.CharField()
    title = serializers.CharField(max_length=500)
    body = serializers.CharField(max_length=5000, required=False, allow_blank=True)


class _TypedField(serializers.Field[Any, Any, Any, Any]):
    """An object whose `type` selects its serializer; stored as sent, with defaults added."""

    serializer_classes: Mapping[str, type[StrictSerializer]] = {}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Validate the object, and return it with its defaults."""
        if not isinstance(data, Mapping):
            raise serializers.ValidationError("This must be an object.", code="invalid_type")
        kind = data.get("type")
        if not isinstance(kind, str) or kind not in self.serializer_classes:
            message = f"type must be one of: {', '.join(self.serializer_classes)}."
            raise serializers.ValidationError({"type": [serializers.ErrorDetail(message, code="invalid_choice")]})
        body = self.serializer_classes[kind](data=data)
        body.is_valid(raise_exception=True)
        defaults = {name: field.default for name, field in body.fields.items() if isinstance(field.default, str)}
        return {**defaults, **data}

    def to_representation(self, value: Any) -> Any:
        """Return the stored object."""
        return value


def _typed_schema(*kinds: str) -> dict[str, Any]:
    kind = {"type": "string", "enum": list(kinds), "x-open-enum": True}
    return {"type": "object", "required": ["type"], "properties": {"type": kind}, "additionalProperties": True}


@extend_schema_field(_typed_schema("cron", "event", "webhook", "manual"))
class TriggerField(_TypedField):
    """The trigger of an automation."""

    serializer_classes = {
        "cron": CronTriggerSerializer,
        "event": EventTriggerSerializer,
        "webhook": PlainTriggerSerializer,
        "manual": PlainTriggerSerializer,
    }


@extend_schema_field(_typed_schema("render", "notify"))
class ActionField(_TypedField):
    """The action of an automation."""

    serializer_classes = {"render": RenderActionSerializer, "notify": NotifyActionSerializer}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Validate the action, its size and the expressions in its texts."""
        action = super().to_internal_value(data)
        if len(orjson.dumps(action)) > MAX_ACTION_BYTES:
            raise serializers.ValidationError(f"An action can have at most {MAX_ACTION_BYTES} bytes.", code="too_long")
        for name in INTERPOLATED_MEMBERS[action["type"]]:
            for problem in find_invalid_expressions(action.get(name), f"/{name}"):
                error: Any = [serializers.ErrorDetail(problem["detail"], code=problem["code"])]
                for part in reversed(problem["pointer"].split("/")[1:]):
                    error = {part.replace("~1", "/").replace("~0", "~"): error}
                raise serializers.ValidationError(error)
        return action


class AutomationLimitsChangeSerializer(StrictSerializer):
    """Limits of an automation: runs per hour, consecutive failures."""

    runs_per_hour = serializers.IntegerField(min_value=1, max_value=MAX_RUNS_PER_HOUR, required=False)
    max_failures = serializers.IntegerField(min_value=1, max_value=MAX_FAILURES, required=False)


class AutomationChangeSerializer(StrictSerializer):
    """Body of PATCH /automations/{id}. A trigger or an action is replaced as a whole."""

    name = serializers.CharField(max_length=200, required=False)
    project = PublicIdField("prj", required=False, allow_null=True)
    is_active = StrictBooleanField(required=False)
    trigger = TriggerField(required=False)
    action = ActionField(required=False)
    limits = AutomationLimitsChangeSerializer(required=False)


class AutomationCreateSerializer(AutomationChangeSerializer):
    """Body of POST /automations."""

    name = serializers.CharField(max_length=200)
    trigger = TriggerField()
    action = ActionField()


class AutomationLimitsSerializer(serializers.Serializer[Any]):
    """Limits of an automation."""

    runs_per_hour = serializers.IntegerField()
    max_failures = serializers.IntegerField()


class AutomationSerializer(serializers.ModelSerializer[Automation]):
    """An automation. paused_reason: null if its owner paused it."""

    id = serializers.CharField(source="public_id", read_only=True)
    object = ConstantField("automation")
    project = PublicIdField("prj", source="project_id", allow_null=True)
    trigger = TriggerField()
    action = ActionField()
    limits = AutomationLimitsSerializer(source="*")
    hook_url = serializers.SerializerMethodField()
    next_run_at = TimeField(allow_null=True)
    last_triggered_at = TimeField(allow_null=True)
    paused_at = TimeField(allow_null=True)
    paused_reason = BlankAsNullField()
    created_at = TimeField()
    updated_at = TimeField()

    class Meta:
        model = Automation
        fields = [
            "id",
            "object",
            "name",
            "project",
            "is_active",
            "trigger",
            "action",
            "limits",
            "hook_url",
            "next_run_at",
            "last_triggered_at",
            "failures",
            "paused_at",
            "paused_reason",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields

    @extend_schema_field({"type": "string", "nullable": True})
    def get_hook_url(self, row: Automation) -> str | None:
        """Return the URL for signed webhooks."""
        if row.trigger_type != TriggerType.WEBHOOK:
            return None
        return absolute_url(self.context.get("request"), f"{WEBHOOK_PATH}{row.public_id}")


class AutomationWithSecretSerializer(AutomationSerializer):
    """An automation with the secret of its webhook, which is shown only once."""

    secret = serializers.SerializerMethodField()

    class Meta(AutomationSerializer.Meta):
        fields = [*AutomationSerializer.Meta.fields, "secret"]
        read_only_fields = fields

    @extend_schema_field({"type": "string", "nullable": True})
    def get_secret(self, row: Automation) -> str | None:
        """Return the secret of a webhook trigger."""
        return formatted_secret(row) if row.trigger_type == TriggerType.WEBHOOK else None


@extend_schema_field({"type": "object", "additionalProperties": True})
class TriggerDataField(ObjectField):
    """The data of a trigger, stored as sent."""


class AutomationTriggerSerializer(StrictSerializer):
    """Body of POST /automations/{id}/trigger. trigger_id: makes repeated requests start one run."""

    trigger_id = serializers.RegexField(r"^[\x21-\x7e]+$", max_length=150, required=False)
    data = TriggerDataField(required=False, default=dict)  # type: ignore[assignment]
    dry_run = StrictBooleanField(required=False, default=False)

    def validate_data(self, value: dict[str, Any]) -> dict[str, Any]:
        """Refuse data over the size limit."""
        if len(orjson.dumps(value)) > MAX_INPUT_BYTES:
            raise serializers.ValidationError(f"The data can have at most {MAX_INPUT_BYTES} bytes.", code="too_long")
        return value


class AutomationRunTriggerSerializer(serializers.Serializer[Any]):
    """The trigger of a run."""

    type = serializers.CharField(source="trigger_type")
    id = serializers.SerializerMethodField()

    @extend_schema_field({"type": "string", "nullable": True})
    def get_id(self, row: AutomationRun) -> str | None:
        """Return the occurrence, event id, message id or the client's trigger id."""
        trigger_id: str | None = row.input.get("id")
        return trigger_id


class AutomationRunErrorSerializer(serializers.Serializer[Any]):
    """Why a run failed or was skipped. errors: the full list of a refused action."""

    code = serializers.CharField()
    message = serializers.CharField()
    pointer = serializers.CharField(allow_null=True, required=False)
    errors = IssueSerializer(many=True, required=False)  # type: ignore[assignment]


class AutomationRunSerializer(serializers.ModelSerializer[AutomationRun]):
    """A run of an automation. input: `event` in the action's texts; request: the interpolated action."""

    id = serializers.CharField(source="public_id", read_only=True)
    object = ConstantField("automation_run")
    automation = PublicIdField("aut", source="automation_id")
    trigger = AutomationRunTriggerSerializer(source="*")
    status = serializers.CharField()
    outcome = serializers.SerializerMethodField()
    render = serializers.SerializerMethodField()
    input = serializers.JSONField()
    request = serializers.SerializerMethodField()
    error = serializers.SerializerMethodField()
    created_at = TimeField()
    started_at = TimeField(allow_null=True)
    finished_at = TimeField(allow_null=True)

    class Meta:
        model = AutomationRun
        fields = [
            "id",
            "object",
            "automation",
            "trigger",
            "status",
            "outcome",
            "render",
            "input",
            "request",
            "error",
            "created_at",
            "started_at",
            "finished_at",
        ]
        read_only_fields = fields

    @extend_schema_field({"type": "string", "nullable": True})
    def get_outcome(self, row: AutomationRun) -> str | None:
        """Return `render_submitted` or `notified`; null unless the run succeeded."""
        if row.status != AutomationRunStatus.SUCCEEDED:
            return None
        return "notified" if (row.request or {}).get("type") == "notify" else "render_submitted"

    @extend_schema_field({"type": "string", "nullable": True})
    def get_render(self, row: AutomationRun) -> str | None:
        """Return the id of the submitted render."""
        return None if row.render_id is None else encode_id("rnd", row.render_id)

    @extend_schema_field({"type": "object", "nullable": True, "additionalProperties": True})
    def get_request(self, row: AutomationRun) -> Any:
        """Return the interpolated action."""
        return row.request

    @extend_schema_field(AutomationRunErrorSerializer(allow_null=True))
    def get_error(self, row: AutomationRun) -> Any:
        """Return the error of a failed or skipped run."""
        return row.error


class AutomationDryRunSerializer(ValidationResultSerializer):
    """Result of a dry run. request: the interpolated action; null if it is invalid."""

    object = serializers.ChoiceField(choices=["automation_dry_run"])
    action = serializers.CharField()
    request = serializers.DictField(allow_null=True)
