"""Serializers of projects and templates."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.api.serializers import PublicIdField, StrictSerializer, TimeField
from renders.serializers.fields import EditField, MergeField, MetadataField


class ProjectBody(StrictSerializer):
    """POST /projects."""

    name = serializers.CharField(max_length=200)
    description = serializers.CharField(max_length=2000, allow_blank=True, required=False)
    metadata = MetadataField(required=False)


class ProjectPatchBody(ProjectBody):
    """PATCH /projects/{id}."""

    name = serializers.CharField(max_length=200, required=False)


class ProjectSerializer(serializers.Serializer[Any]):
    """A project in answers."""

    id = serializers.CharField(source="public_id", read_only=True)
    object = serializers.SerializerMethodField()
    name = serializers.CharField()
    description = serializers.CharField()
    metadata = MetadataField()
    created_at = TimeField()
    updated_at = TimeField()

    @extend_schema_field({"type": "string", "enum": ["project"]})
    def get_object(self, row: Any) -> str:
        """Return the type of the object."""
        return "project"


class TemplateBody(StrictSerializer):
    """POST /templates, PUT /templates/{id}."""

    name = serializers.CharField(max_length=200)
    description = serializers.CharField(max_length=2000, allow_blank=True, required=False)
    project = PublicIdField("prj", required=False, allow_null=True, default=None)
    edit = EditField()
    merge = MergeField(required=False)


class TemplatePatchBody(StrictSerializer):
    """PATCH /templates/{id}."""

    name = serializers.CharField(max_length=200, required=False)
    description = serializers.CharField(max_length=2000, allow_blank=True, required=False)
    project = PublicIdField("prj", required=False, allow_null=True)
    edit = EditField(required=False)
    merge = MergeField(required=False)


class TemplateListSerializer(serializers.Serializer[Any]):
    """A template in lists: without its edit."""

    id = serializers.CharField(source="public_id", read_only=True)
    object = serializers.SerializerMethodField()
    name = serializers.CharField()
    description = serializers.CharField()
    project = PublicIdField("prj", source="project_id", allow_null=True)
    version = serializers.IntegerField()
    created_at = TimeField()
    updated_at = TimeField()

    @extend_schema_field({"type": "string", "enum": ["template"]})
    def get_object(self, row: Any) -> str:
        """Return the type of the object."""
        return "template"


class TemplateSerializer(TemplateListSerializer):
    """A template in answers."""

    edit = EditField()
    merge = MergeField(source="merge_defaults")


class TemplateVersionSerializer(serializers.Serializer[Any]):
    """One version of a template."""

    object = serializers.SerializerMethodField()
    version = serializers.IntegerField(source="number")
    edit = EditField()
    merge = MergeField(source="merge_defaults")
    created_at = TimeField()

    @extend_schema_field({"type": "string", "enum": ["template_version"]})
    def get_object(self, row: Any) -> str:
        """Return the type of the object."""
        return "template_version"
