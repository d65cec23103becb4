"""Serializers of renders in responses."""

from __future__ import annotations

from typing import Any

from django.utils.functional import cached_property
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from api.features import is_enabled
from api.routing import api_path
from api.serializers import ConstantField, PublicIdField, ResourceSerializer, TimeField
from core.absolute_urls import absolute_url, base_url
from credits.pricing import format_credits
from files.links import SignedUrlBuilder
from renders.models import Render, RenderPriority
from renders.selectors import OUTPUT_TYPES
from renders.serializers.fields import MetadataField
from renders.states import RenderStatus


class IssueSerializer(serializers.Serializer[Any]):
    """An error, warning or note. pointer: JSON Pointer to the place in the request body."""

    pointer = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()


class CreditEstimateSerializer(serializers.Serializer[Any]):
    """Size and cost of a render. exact: false if the duration depends on a source of unknown length."""

    duration_s = serializers.FloatField()
    frames = serializers.IntegerField()
    width = serializers.IntegerField()
    height = serializers.IntegerField()
    fps = serializers.FloatField()
    credits = serializers.SerializerMethodField()
    exact = serializers.BooleanField()

    @extend_schema_field({"type": "string", "example": "0.20"})
    def get_credits(self, row: Any) -> str:
        """Return the cost as a decimal string."""
        return format_credits(row.credits)


class ValidationResultSerializer(serializers.Serializer[Any]):
    """The outcome of a validation or dry run."""

    valid = serializers.BooleanField()
    errors = IssueSerializer(many=True)  # type: ignore[assignment]
    warnings = IssueSerializer(many=True)
    estimate = CreditEstimateSerializer(allow_null=True)


class ProgressSerializer(ResourceSerializer):
    """Progress of a render. queue_position: of a single queued render; null in lists and other statuses."""

    percent = serializers.FloatField()
    step = serializers.CharField(source="status")
    frame = serializers.IntegerField()
    total_frames = serializers.IntegerField(allow_null=True)
    fps = serializers.FloatField(source="speed_fps", allow_null=True)
    eta_s = serializers.FloatField(allow_null=True)
    attempt = serializers.IntegerField()
    max_attempts = serializers.IntegerField()
    queue_position = serializers.IntegerField(min_value=1, allow_null=True, read_only=True)
    updated_at = TimeField(source="progress_at", allow_null=True)


class ProgressEventSerializer(ProgressSerializer):
    """Progress of a render in events, which have no queue position."""

    queue_position = None  # type: ignore[assignment]


class OutputSerializer(serializers.Serializer[Any]):
    """The file of a finished render."""

    url = serializers.CharField()
    url_expires_at = serializers.DateTimeField()
    format = serializers.CharField()
    width = serializers.IntegerField(allow_null=True)
    height = serializers.IntegerField(allow_null=True)
    fps = serializers.FloatField(allow_null=True)
    duration_s = serializers.FloatField()
    size_bytes = serializers.IntegerField()
    sha256 = serializers.CharField()


class CreditsSerializer(serializers.Serializer[Any]):
    """Reserved and charged credits, as decimal strings; charged is null until the end."""

    reserved = serializers.CharField()
    charged = serializers.CharField(allow_null=True)


class ErrorSerializer(serializers.Serializer[Any]):
    """Why a render failed."""

    code = serializers.CharField()
    message = serializers.CharField()
    retryable = serializers.BooleanField()
    pointer = serializers.CharField(allow_null=True)
    step = serializers.CharField(allow_null=True)
    attempt = serializers.IntegerField()


class LinksSerializer(serializers.Serializer[Any]):
    """URLs of related resources."""

    self = serializers.CharField()
    edit = serializers.CharField()
    cancel = serializers.CharField()
    log = serializers.CharField()
    events = serializers.CharField(allow_null=True)


class RenderSerializer(ResourceSerializer):
    """A render in responses of version 2."""

    id = serializers.CharField(source="public_id", read_only=True)
    object = ConstantField("render")
    status = serializers.ChoiceField(choices=RenderStatus.values)
    progress = ProgressSerializer(source="*")
    priority = serializers.SerializerMethodField()
    project = PublicIdField("prj", source="project_id", allow_null=True)
    template = PublicIdField("tpl", source="template_id", allow_null=True)
    output = serializers.SerializerMethodField()
    poster_url = serializers.SerializerMethodField()
    thumbnail_url = serializers.SerializerMethodField()
    credits = serializers.SerializerMethodField()
    error = serializers.SerializerMethodField()
    warnings = IssueSerializer(many=True)
    notes = IssueSerializer(many=True)
    metadata = MetadataField()
    retry_of = PublicIdField("rnd", source="retry_of_id", allow_null=True)
    batch = PublicIdField("bat", source="batch_id", allow_null=True)
    created_at = TimeField()
    queued_at = TimeField(allow_null=True)
    started_at = TimeField(allow_null=True)
    finished_at = TimeField(allow_null=True)
    links = serializers.SerializerMethodField()

    @extend_schema_field({"type": "string", "enum": RenderPriority.labels})
    def get_priority(self, row: Render) -> str:
        """Return the priority's name."""
        return _PRIORITIES[row.priority]

    @extend_schema_field(OutputSerializer(allow_null=True))
    def get_output(self, row: Render) -> dict[str, Any] | None:
        """Return the output with its signed URL; null before success and after deletion."""
        if not row.has_output:
            return None
        kind, sha256 = row.output_format, row.output_sha256
        return {
            "url": self._files.url(row.output_key, OUTPUT_TYPES[kind], f"{row.public_id}.{kind}", sha256),
            "url_expires_at": self._files.expires_text,
            "format": kind,
            "width": row.output_width,
            "height": row.output_height,
            "fps": row.output_fps,
            "duration_s": row.output_duration_s,
            "size_bytes": row.output_size_bytes,
            "sha256": sha256,
        }

    @extend_schema_field({"type": "string", "format": "uri", "nullable": True})
    def get_poster_url(self, row: Render) -> str | None:
        """Return the signed URL of the poster."""
        return self._picture_url(row, row.poster_key, "poster")

    @extend_schema_field({"type": "string", "format": "uri", "nullable": True})
    def get_thumbnail_url(self, row: Render) -> str | None:
        """Return the signed URL of the thumbnail."""
        return self._picture_url(row, row.thumbnail_key, "thumbnail")

    def _picture_url(self, row: Render, key: str, name: str) -> str | None:
        if not key or not row.has_output:
            return None
        return self._files.url(key, "image/jpeg", f"{row.public_id}-{name}.jpg")

    @cached_property
    def _files(self) -> SignedUrlBuilder:
        return SignedUrlBuilder(base_url(self.context.get("request")))

    @extend_schema_field(CreditsSerializer)
    def get_credits(self, row: Render) -> dict[str, Any]:
        """Return the credits as decimal strings."""
        charged = None if row.credits_charged is None else format_credits(row.credits_charged)
        return {"reserved": format_credits(row.credits_reserved), "charged": charged}

    @extend_schema_field(ErrorSerializer(allow_null=True))
    def get_error(self, row: Render) -> Any:
        """Return the error of a failed render; that of an attempt that will be retried is not shown."""
        return row.error if row.status == RenderStatus.FAILED else None

    @extend_schema_field(LinksSerializer)
    def get_links(self, row: Render) -> dict[str, Any]:
        """Return the absolute URLs of the render and its parts."""
        renders, has_events = self._base_url
        own = f"{renders}/{row.public_id}"
        return {
            "self": own,
            "edit": f"{own}/edit",
            "cancel": f"{own}/cancel",
            "log": f"{own}/log",
            "events": f"{own}/events" if has_events else None,
        }

    @cached_property
    def _base_url(self) -> tuple[str, bool]:
        """The absolute URL of the list of renders in the version of the request, and whether it has events."""
        request = self.context.get("request")
        version = getattr(request, "version", 2) or 2
        return absolute_url(request, api_path("render-list", version)), is_enabled("render_events", version)


_PRIORITIES = {priority.value: str(priority.label) for priority in RenderPriority}


class RenderV1Serializer(RenderSerializer):
    """A render in responses of version 1, where progress is a number from 0 to 100."""

    progress = serializers.FloatField(source="percent", min_value=0, max_value=100)  # type: ignore[assignment]


class LogSerializer(serializers.Serializer[Any]):
    """The log of the last attempt. timings: seconds by step."""

    render = serializers.CharField(source="public_id")
    object = ConstantField("render_log")
    attempt = serializers.IntegerField()
    log = serializers.CharField()
    timings = serializers.DictField(child=serializers.FloatField())
