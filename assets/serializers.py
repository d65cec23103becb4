"""Serializers of assets."""

from __future__ import annotations

from typing import Any

from django.utils.functional import cached_property
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
from assets.filenames import MAX_FILENAME_LENGTH, clean_filename
from assets.models import Asset
from assets.staging import POSTER_TYPES
from core.absolute_urls import base_url
from files.links import SignedUrlBuilder
from outbound.targets import MAX_URL_LENGTH


class FilenameField(serializers.CharField):
    """A name for people: one line, no folders."""

    def to_internal_value(self, data: Any) -> str:
        """Return the name, or refuse one of which nothing is left."""
        text = super().to_internal_value(data)
        if len(text) > MAX_FILENAME_LENGTH:
            raise serializers.ValidationError(f"At most {MAX_FILENAME_LENGTH} characters.", code="max_length")
        name = clean_filename(text, default="")
        if not name:
            raise serializers.ValidationError("This name has no character that can be shown.", code="invalid")
        return name


class AssetUploadSerializer(StrictSerializer):
    """A multipart body with a file."""

    file = serializers.FileField(help_text="mp4 mov webm mkv gif png jpg webp mp3 wav m4a aac ogg flac ttf otf srt vtt")
    name = FilenameField(required=False)
    project = PublicIdField("prj", required=False, source="project_id")


class AssetImportSerializer(StrictSerializer):
    """A JSON body that names a file on the web."""

    url = serializers.CharField(max_length=MAX_URL_LENGTH)
    name = FilenameField(required=False)
    project = PublicIdField("prj", required=False, allow_null=True, source="project_id")


class AssetChangeSerializer(StrictSerializer):
    """What of an asset can be changed."""

    name = FilenameField(required=False)
    project = PublicIdField("prj", required=False, allow_null=True, source="project_id")


class AssetProbeSerializer(serializers.Serializer[Any]):
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


@extend_schema_field(
    {"type": "string", "enum": ["video", "image", "audio", "font", "subtitle", None], "nullable": True}
)
class AssetKindField(BlankAsNullField):
    """The kind of media; null until the file is known."""


class AssetSerializer(ResourceSerializer, serializers.ModelSerializer[Asset]):
    """An asset, as clients see it. references: how many active renders need it."""

    id = serializers.CharField(source="public_id", read_only=True)
    object = ConstantField("asset")
    kind = AssetKindField()
    sha256 = BlankAsNullField()
    content_type = BlankAsNullField()
    probe = AssetProbeSerializer(allow_null=True)
    url = serializers.SerializerMethodField()
    poster_url = serializers.SerializerMethodField()
    references = serializers.IntegerField(read_only=True)
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

    @extend_schema_field({"type": "string", "format": "uri", "nullable": True})
    def get_url(self, row: Asset) -> str | None:
        """Return a link to the file that works without a credential, for a time."""
        return self._files.url(row.storage_key, row.content_type, row.name, row.sha256) if row.is_ready else None

    @extend_schema_field({"type": "string", "format": "uri", "nullable": True})
    def get_poster_url(self, row: Asset) -> str | None:
        """Return a link to a small picture of the file."""
        if not row.poster_key:
            return None
        ending = row.poster_key.rpartition(".")[2]
        return self._files.url(row.poster_key, POSTER_TYPES[ending], f"poster.{ending}", f"{row.sha256[:32]}-poster")

    @cached_property
    def _files(self) -> SignedUrlBuilder:
        return SignedUrlBuilder(base_url(self.context.get("request")))


class AssetReferenceSerializer(ResourceSerializer):
    """Something that needs an asset."""

    id = serializers.CharField(source="label", read_only=True)
    object = ConstantField("reference")
    created_at = TimeField()
