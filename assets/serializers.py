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
    """A file name: one line, without folders."""

    def to_internal_value(self, data: Any) -> str:
        """Return the cleaned name; refuse one without printable characters."""
        text = super().to_internal_value(data)
        if len(text) > MAX_FILENAME_LENGTH:
            raise serializers.ValidationError(f"At most {MAX_FILENAME_LENGTH} characters.", code="max_length")
        name = clean_filename(text, default="")
        if not name:
            raise serializers.ValidationError("The name has no printable characters.", code="invalid")
        return name


class AssetUploadSerializer(StrictSerializer):
    """Multipart body of `POST /assets`, with a file."""

    file = serializers.FileField(
        help_text="mp4 mov webm mkv gif png jpg webp mp3 wav m4a aac ogg flac ttf otf srt vtt ssa ass ttml dfxp"
    )
    name = FilenameField(required=False)
    project = PublicIdField("prj", required=False, source="project_id")


class AssetImportSerializer(StrictSerializer):
    """JSON body of `POST /assets`, with the URL of a file."""

    url = serializers.CharField(max_length=MAX_URL_LENGTH)
    name = FilenameField(required=False)
    project = PublicIdField("prj", required=False, allow_null=True, source="project_id")


class AssetChangeSerializer(StrictSerializer):
    """Body of `PATCH /assets/{id}`."""

    name = FilenameField(required=False)
    project = PublicIdField("prj", required=False, allow_null=True, source="project_id")


class AssetProbeSerializer(serializers.Serializer[Any]):
    """Properties of the media; null if they do not apply to its kind."""

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
    """The kind of media; null until the file has been probed."""


class AssetSerializer(ResourceSerializer, serializers.ModelSerializer[Asset]):
    """An asset. `references`: number of active renders that use it."""

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
        """Return a temporary link to the file, which needs no credential."""
        return self._files.url(row.storage_key, row.content_type, row.name, row.sha256) if row.is_ready else None

    @extend_schema_field({"type": "string", "format": "uri", "nullable": True})
    def get_poster_url(self, row: Asset) -> str | None:
        """Return a temporary link to a thumbnail of the file."""
        if not row.poster_key:
            return None
        ending = row.poster_key.rpartition(".")[2]
        return self._files.url(row.poster_key, POSTER_TYPES[ending], f"poster.{ending}", f"{row.sha256[:32]}-poster")

    @cached_property
    def _files(self) -> SignedUrlBuilder:
        return SignedUrlBuilder(base_url(self.context.get("request")))


class AssetReferenceSerializer(ResourceSerializer):
    """A reference to an asset, such as from an active render."""

    id = serializers.CharField(source="label", read_only=True)
    object = ConstantField("reference")
    created_at = TimeField()
