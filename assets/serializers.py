"""Serializers of assets."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from assets.incoming import POSTER_TYPES
from assets.models import Asset, AssetHold
from assets.names import LONGEST_NAME, clean_name
from core.api.serializers import PublicIdField, StrictSerializer, TimeField
from core.files.links import signed_url
from core.http.targets import LONGEST_URL


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


class ProbeSerializer(serializers.Serializer[Any]):
    """What the file holds; null where its kind has no such thing."""

    duration_s = serializers.FloatField(allow_null=True)
    width = serializers.IntegerField(allow_null=True)
    height = serializers.IntegerField(allow_null=True)
    fps = serializers.FloatField(allow_null=True)
    video_codec = serializers.CharField(allow_null=True)
    audio_codec = serializers.CharField(allow_null=True)
    has_alpha = serializers.BooleanField()


class AssetErrorSerializer(serializers.Serializer[Any]):
    """Why an import failed."""

    code = serializers.CharField()
    detail = serializers.CharField()


class AssetSerializer(serializers.ModelSerializer[Asset]):
    """An asset, as clients see it. references: how many active renders need it."""

    id = serializers.CharField(source="public_id", read_only=True)
    object = serializers.SerializerMethodField()
    kind = serializers.SerializerMethodField()
    sha256 = serializers.SerializerMethodField()
    content_type = serializers.SerializerMethodField()
    probe = ProbeSerializer(allow_null=True)
    url = serializers.SerializerMethodField()
    poster_url = serializers.SerializerMethodField()
    references = serializers.SerializerMethodField()
    project = PublicIdField("prj", source="project_id", allow_null=True)
    error = AssetErrorSerializer(allow_null=True)
    created_at = TimeField()

    class Meta:
        model = Asset
        fields = [
            "id",
            "object",
            "status",
            "kind",
            "name",
            "project",
            "size_bytes",
            "sha256",
            "content_type",
            "probe",
            "url",
            "poster_url",
            "references",
            "error",
            "created_at",
        ]
        read_only_fields = fields

    @extend_schema_field({"type": "string", "enum": ["asset"]})
    def get_object(self, row: Asset) -> str:
        """Return what this is."""
        return "asset"

    @extend_schema_field(
        {"type": "string", "enum": ["video", "image", "audio", "font", "subtitle", None], "nullable": True}
    )
    def get_kind(self, row: Asset) -> str | None:
        """Return the kind, null until the file is known."""
        return row.kind or None

    @extend_schema_field({"type": "string", "nullable": True})
    def get_sha256(self, row: Asset) -> str | None:
        """Return the hash, null until the file is there."""
        return row.sha256 or None

    @extend_schema_field({"type": "string", "nullable": True})
    def get_content_type(self, row: Asset) -> str | None:
        """Return the type, null until the file is known."""
        return row.content_type or None

    @extend_schema_field({"type": "string", "format": "uri", "nullable": True})
    def get_url(self, row: Asset) -> str | None:
        """Return a link to the file that works without a credential, for a time."""
        if not row.is_ready:
            return None
        return signed_url(
            self.context.get("request"),
            key=row.storage_key,
            content_type=row.content_type,
            filename=row.name,
            tag=row.sha256,
        ).url

    @extend_schema_field({"type": "string", "format": "uri", "nullable": True})
    def get_poster_url(self, row: Asset) -> str | None:
        """Return a link to a small picture of the file."""
        if not row.poster_key:
            return None
        ending = row.poster_key.rpartition(".")[2]
        return signed_url(
            self.context.get("request"),
            key=row.poster_key,
            content_type=POSTER_TYPES[ending],
            filename=f"poster.{ending}",
            tag=f"{row.sha256[:32]}-poster",
        ).url

    @extend_schema_field(OpenApiTypes.INT)
    def get_references(self, row: Asset) -> int:
        """Return how many hold the asset; a row that was just made has none."""
        return getattr(row, "references", 0)


class ReferenceSerializer(serializers.ModelSerializer[AssetHold]):
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
