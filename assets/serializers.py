"""Shapes of assets."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from assets.incoming import POSTER_TYPES
from assets.models import Asset, AssetHold, AssetStatus
from assets.names import LONGEST_NAME, clean_name
from core.api.addresses import base_url
from core.api.renderers import format_time
from core.api.serializers import DescribedField, PublicIdField, ResourceSerializer, StrictSerializer, TimeField
from core.files.links import LinkMaker
from core.http.targets import LONGEST_URL
from core.ids import encode_id


class NameField(serializers.CharField):
    """A name for people: one line, no folders."""

    def to_internal_value(self, data: Any) -> str:
        """Return the name, or refuse one of which nothing is left."""
        text = super().to_internal_value(data)
        if len(text) > LONGEST_NAME:
            raise serializers.ValidationError(f"At most {LONGEST_NAME} characters.", code="max_length")
        name = clean_name(text, default="")
        if not name:
            raise serializers.ValidationError("This name has no character that can be shown.", code="invalid")
        return name


class UploadRequest(StrictSerializer):
    """A multipart body with a file."""

    file = serializers.FileField(help_text="mp4 mov webm mkv gif png jpg webp mp3 wav m4a aac ogg flac ttf otf srt vtt")
    name = NameField(required=False)
    project = PublicIdField("prj", required=False, source="project_id")


class ImportRequestBody(StrictSerializer):
    """A JSON body that names a file on the web."""

    url = serializers.CharField(max_length=LONGEST_URL)
    name = NameField(required=False)
    project = PublicIdField("prj", required=False, allow_null=True, source="project_id")


class AssetChanges(StrictSerializer):
    """What of an asset can be changed."""

    name = NameField(required=False)
    project = PublicIdField("prj", required=False, allow_null=True, source="project_id")


class ProbeShape(serializers.Serializer[Any]):
    """What the file holds; null where its kind has no such thing."""

    duration_s = serializers.FloatField(allow_null=True)
    width = serializers.IntegerField(allow_null=True)
    height = serializers.IntegerField(allow_null=True)
    fps = serializers.FloatField(allow_null=True)
    video_codec = serializers.CharField(allow_null=True)
    audio_codec = serializers.CharField(allow_null=True)
    has_alpha = serializers.BooleanField()


class AssetErrorShape(serializers.Serializer[Any]):
    """Why an import failed."""

    code = serializers.CharField()
    detail = serializers.CharField()


class AssetShape(ResourceSerializer):
    """An asset, as clients see it. references: how many active renders need it."""

    id = serializers.CharField(read_only=True)
    object = DescribedField({"type": "string", "enum": ["asset"]})
    status = serializers.ChoiceField(choices=AssetStatus.choices, read_only=True)
    kind = DescribedField(
        {"type": "string", "enum": ["video", "image", "audio", "font", "subtitle", None], "nullable": True}
    )
    name = serializers.CharField(read_only=True)
    project = PublicIdField("prj", allow_null=True)
    size_bytes = serializers.IntegerField(allow_null=True, read_only=True)
    sha256 = serializers.CharField(allow_null=True, read_only=True)
    content_type = serializers.CharField(allow_null=True, read_only=True)
    probe = ProbeShape(allow_null=True)
    url = DescribedField({"type": "string", "format": "uri", "nullable": True})
    poster_url = DescribedField({"type": "string", "format": "uri", "nullable": True})
    references = serializers.IntegerField(read_only=True)
    error = AssetErrorShape(allow_null=True)
    created_at = TimeField()

    def to_representation(self, row: Asset) -> dict[str, Any]:
        """Return the body of an asset; its links work without a credential, for a time."""
        return {
            "id": row.public_id,
            "object": "asset",
            "status": row.status,
            "kind": row.kind or None,
            "name": row.name,
            "project": None if row.project_id is None else encode_id("prj", row.project_id),
            "size_bytes": row.size_bytes,
            "sha256": row.sha256 or None,
            "content_type": row.content_type or None,
            "probe": _represent_probe(row.probe),
            "url": self._links.url(row.storage_key, row.content_type, row.name, row.sha256) if row.is_ready else None,
            "poster_url": self._poster_url(row),
            # A row that was just made has none.
            "references": getattr(row, "references", 0),
            "error": None if row.error is None else {name: row.error[name] for name in ("code", "detail")},
            "created_at": format_time(row.created_at),
        }

    def _poster_url(self, row: Asset) -> str | None:
        if not row.poster_key:
            return None
        ending = row.poster_key.rpartition(".")[2]
        return self._links.url(row.poster_key, POSTER_TYPES[ending], f"poster.{ending}", f"{row.sha256[:32]}-poster")

    @cached_property
    def _links(self) -> LinkMaker:
        return LinkMaker(base_url(self.context.get("request")))


def _represent_probe(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if found is None:
        return None
    duration_s, fps = found.get("duration_s"), found.get("fps")
    return {
        "duration_s": None if duration_s is None else float(duration_s),
        "width": found.get("width"),
        "height": found.get("height"),
        "fps": None if fps is None else float(fps),
        "video_codec": found.get("video_codec"),
        "audio_codec": found.get("audio_codec"),
        "has_alpha": found["has_alpha"],
    }


class ReferenceShape(serializers.ModelSerializer[AssetHold]):
    """Something that needs an asset."""

    id = serializers.CharField(source="label", read_only=True)
    object = serializers.SerializerMethodField()
    created_at = TimeField()

    class Meta:
        model = AssetHold
        fields = ["id", "object", "created_at"]
        read_only_fields = fields

    @extend_schema_field({"type": "string", "enum": ["reference"]})
    def get_object(self, row: AssetHold) -> str:
        """Return what this is."""
        return "reference"
