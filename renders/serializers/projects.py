"""Serializers of projects and templates."""

from __future__ import annotations

from rest_framework import serializers

from api.serializers import ConstantField, PublicIdField, ResourceSerializer, StrictSerializer, TimeField
from renders.serializers.fields import EditField, MergeValuesField, MetadataField


class ProjectCreateSerializer(StrictSerializer):
    """POST /projects."""

    name = serializers.CharField(max_length=200)
    description = serializers.CharField(max_length=2000, allow_blank=True, required=False)
    metadata = MetadataField(required=False)


class ProjectChangeSerializer(ProjectCreateSerializer):
    """PATCH /projects/{id}."""

    name = serializers.CharField(max_length=200, required=False)


class ProjectSerializer(ResourceSerializer):
    """A project in responses."""

    id = serializers.CharField(source="public_id", read_only=True)
    object = ConstantField("project")
    name = serializers.CharField()
    description = serializers.CharField()
    metadata = MetadataField()
    created_at = TimeField()
    updated_at = TimeField()


class TemplateWriteSerializer(StrictSerializer):
    """POST /templates, PUT /templates/{id}."""

    name = serializers.CharField(max_length=200)
    description = serializers.CharField(max_length=2000, allow_blank=True, required=False)
    project = PublicIdField("prj", required=False, allow_null=True, default=None)
    edit = EditField()
    merge = MergeValuesField(required=False)


class TemplateChangeSerializer(StrictSerializer):
    """PATCH /templates/{id}."""

    name = serializers.CharField(max_length=200, required=False)
    description = serializers.CharField(max_length=2000, allow_blank=True, required=False)
    project = PublicIdField("prj", required=False, allow_null=True)
    edit = EditField(required=False)
    merge = MergeValuesField(required=False)


class TemplateListSerializer(ResourceSerializer):
    """A template in lists, without its edit."""

    id = serializers.CharField(source="public_id", read_only=True)
    object = ConstantField("template")
    name = serializers.CharField()
    description = serializers.CharField()
    project = PublicIdField("prj", source="project_id", allow_null=True)
    version = serializers.IntegerField()
    created_at = TimeField()
    updated_at = TimeField()


class TemplateSerializer(TemplateListSerializer):
    """A template in responses."""

    edit = EditField()
    merge = MergeValuesField(source="merge_defaults")


class TemplateVersionSerializer(ResourceSerializer):
    """One version of a template."""

    object = ConstantField("template_version")
    version = serializers.IntegerField(source="number")
    edit = EditField()
    merge = MergeValuesField(source="merge_defaults")
    created_at = TimeField()
