"""Shapes of renders in answers."""

from __future__ import annotations

from functools import cached_property
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.api.addresses import base_url
from core.api.features import is_enabled
from core.api.renderers import format_time
from core.api.routing import absolute_url, api_path
from core.api.serializers import DescribedField, PublicIdField, ResourceSerializer, TimeField
from core.files.links import LinkMaker
from core.ids import encode_id
from credits.pricing import format_credits
from renders.models import Priority, Render
from renders.selectors import OUTPUT_TYPES
from renders.serializers.fields import MetadataField
from renders.states import RenderStatus


class IssueShape(serializers.Serializer[Any]):
    """One error or warning: where, what kind, and a sentence."""

    pointer = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()


class EstimateShape(serializers.Serializer[Any]):
    """What a render will be and cost. exact: false while a source of unknown length decides the duration."""

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


class ReportShape(serializers.Serializer[Any]):
    """The outcome of a validation or dry run."""

    valid = serializers.BooleanField()
    errors = IssueShape(many=True)  # type: ignore[assignment]
    warnings = IssueShape(many=True)
    estimate = EstimateShape(allow_null=True)


class ProgressShape(serializers.Serializer[Any]):
    """How far a render is. queue_position: given for one waiting render, null in lists and elsewhere."""

    percent = serializers.FloatField()
    step = serializers.CharField()
    frame = serializers.IntegerField()
    total_frames = serializers.IntegerField(allow_null=True)
    fps = serializers.FloatField(allow_null=True)
    eta_s = serializers.FloatField(allow_null=True)
    attempt = serializers.IntegerField()
    max_attempts = serializers.IntegerField()
    queue_position = DescribedField({"type": "integer", "nullable": True, "minimum": 1})
    updated_at = TimeField(allow_null=True)


class OutputShape(serializers.Serializer[Any]):
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


class CreditsShape(serializers.Serializer[Any]):
    """What a render holds of its owner's credits, and what it cost in the end."""

    reserved = serializers.CharField()
    charged = serializers.CharField(allow_null=True)


class ErrorShape(serializers.Serializer[Any]):
    """Why a render failed."""

    code = serializers.CharField()
    message = serializers.CharField()
    retryable = serializers.BooleanField()
    pointer = serializers.CharField(allow_null=True)
    step = serializers.CharField(allow_null=True)
    attempt = serializers.IntegerField()


class LinksShape(serializers.Serializer[Any]):
    """Where to go from here."""

    self = serializers.CharField()
    edit = serializers.CharField()
    cancel = serializers.CharField()
    log = serializers.CharField()
    events = serializers.CharField(allow_null=True)


# What shows of a render. Lists read these alone, as named tuples: making instances takes Django a third of a list.
COLUMNS = (
    "id",
    "status",
    "percent",
    "frame",
    "total_frames",
    "speed_fps",
    "eta_s",
    "attempt",
    "max_attempts",
    "progress_at",
    "priority",
    "project_id",
    "template_id",
    "output_format",
    "output_width",
    "output_height",
    "output_fps",
    "output_duration_s",
    "output_size_bytes",
    "output_sha256",
    "output_key",
    "output_deleted_at",
    "poster_key",
    "thumbnail_key",
    "credits_reserved",
    "credits_charged",
    "error",
    "warnings",
    "metadata",
    "retry_of_id",
    "batch_id",
    "created_at",
    "queued_at",
    "started_at",
    "finished_at",
)


class RenderShape(ResourceSerializer):
    """A render in answers of version 2."""

    id = serializers.CharField(read_only=True)
    object = DescribedField({"type": "string", "enum": ["render"]})
    status = serializers.ChoiceField(choices=RenderStatus.values)
    progress = ProgressShape()
    priority = DescribedField({"type": "string", "enum": Priority.labels})
    project = PublicIdField("prj", allow_null=True)
    template = PublicIdField("tpl", allow_null=True)
    output = OutputShape(allow_null=True, read_only=True)
    poster_url = DescribedField({"type": "string", "format": "uri", "nullable": True})
    thumbnail_url = DescribedField({"type": "string", "format": "uri", "nullable": True})
    credits = CreditsShape(read_only=True)
    error = ErrorShape(allow_null=True, read_only=True)
    warnings = IssueShape(many=True)
    metadata = MetadataField()
    retry_of = PublicIdField("rnd", allow_null=True)
    batch = PublicIdField("bat", allow_null=True)
    created_at = TimeField()
    queued_at = TimeField(allow_null=True)
    started_at = TimeField(allow_null=True)
    finished_at = TimeField(allow_null=True)
    links = LinksShape(read_only=True)

    def to_representation(self, row: Render) -> dict[str, Any]:
        """Return the body of a render; an output is shown with signed URLs until it is deleted.

        row: a render, or a named tuple of COLUMNS. The context has the `request` and, for single
        renders only, their `queue_position`.
        """
        own_id = encode_id(Render.ID_PREFIX, row.id)
        has_output = row.status == RenderStatus.SUCCEEDED and row.output_deleted_at is None
        output, poster, thumbnail = self._files(row, own_id) if has_output else (None, None, None)
        charged = row.credits_charged
        return {
            "id": own_id,
            "object": "render",
            "status": row.status,
            "progress": self.represent_progress(row),
            "priority": _PRIORITIES[row.priority],
            "project": _public_id("prj", row.project_id),
            "template": _public_id("tpl", row.template_id),
            "output": output,
            "poster_url": poster,
            "thumbnail_url": thumbnail,
            "credits": {
                "reserved": format_credits(row.credits_reserved),
                "charged": None if charged is None else format_credits(charged),
            },
            # The error of an attempt that is being retried is no answer yet.
            "error": row.error if row.status == RenderStatus.FAILED else None,
            "warnings": [{name: issue[name] for name in ("pointer", "code", "detail")} for issue in row.warnings],
            "metadata": row.metadata,
            "retry_of": _public_id("rnd", row.retry_of_id),
            "batch": _public_id("bat", row.batch_id),
            "created_at": format_time(row.created_at),
            "queued_at": format_time(row.queued_at),
            "started_at": format_time(row.started_at),
            "finished_at": format_time(row.finished_at),
            "links": self._links(own_id),
        }

    def represent_progress(self, row: Render) -> Any:
        """Return how far the render is."""
        return {
            "percent": float(row.percent),
            "step": row.status,
            "frame": row.frame,
            "total_frames": row.total_frames,
            "fps": row.speed_fps,
            "eta_s": row.eta_s,
            "attempt": row.attempt,
            "max_attempts": row.max_attempts,
            "queue_position": self.context.get("queue_position"),
            "updated_at": format_time(row.progress_at),
        }

    def _files(self, row: Render, own_id: str) -> tuple[dict[str, Any], str | None, str | None]:
        """Return the output, the URL of the poster and that of the thumbnail."""
        kind, url = row.output_format, self._link_maker.url
        output = {
            "url": url(row.output_key, OUTPUT_TYPES[kind], f"{own_id}.{kind}", row.output_sha256),
            "url_expires_at": self._link_maker.expires_text,
            "format": kind,
            "width": row.output_width,
            "height": row.output_height,
            "fps": row.output_fps,
            "duration_s": row.output_duration_s,
            "size_bytes": row.output_size_bytes,
            "sha256": row.output_sha256,
        }
        keys = (("poster", row.poster_key), ("thumbnail", row.thumbnail_key))
        poster, thumbnail = (url(key, "image/jpeg", f"{own_id}-{name}.jpg") if key else None for name, key in keys)
        return output, poster, thumbnail

    def _links(self, own_id: str) -> dict[str, str | None]:
        own = f"{self._renders_url}/{own_id}"
        return {
            "self": own,
            "edit": f"{own}/edit",
            "cancel": f"{own}/cancel",
            "log": f"{own}/log",
            "events": f"{own}/events" if self._has_events else None,
        }

    @cached_property
    def _link_maker(self) -> LinkMaker:
        return LinkMaker(base_url(self.context.get("request")))

    @cached_property
    def _renders_url(self) -> str:
        return absolute_url(self.context.get("request"), api_path("render-list", self.version))

    @cached_property
    def _has_events(self) -> bool:
        return is_enabled("render_events", self.version)


class RenderShapeV1(RenderShape):
    """A render in answers of version 1, where progress is a number from 0 to 100."""

    progress = serializers.FloatField(min_value=0, max_value=100)  # type: ignore[assignment]

    def represent_progress(self, row: Render) -> float:
        """Return the percentage."""
        return float(row.percent)


_PRIORITIES = {priority.value: str(priority.label) for priority in Priority}


def _public_id(prefix: str, pk: UUID | None) -> str | None:
    return None if pk is None else encode_id(prefix, pk)


class LogShape(serializers.Serializer[Any]):
    """What happened while rendering. timings: seconds by step."""

    render = serializers.CharField(source="public_id")
    object = serializers.SerializerMethodField()
    attempt = serializers.IntegerField()
    log = serializers.CharField()
    timings = serializers.DictField(child=serializers.FloatField())

    @extend_schema_field({"type": "string", "enum": ["render_log"]})
    def get_object(self, row: Render) -> str:
        """Return the type of the object."""
        return "render_log"
