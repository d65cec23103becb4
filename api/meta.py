"""Metadata of an API version: status, features, deprecation and sunset."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api import lifecycle
from api.deprecations import Deprecation
from api.endpoints import ANY_SCOPE, Endpoint
from api.features import flags_of
from api.routing import Route
from api.serializers import TimeField
from api.views import ApiView
from core.times import format_time


class DeprecatedRouteSerializer(serializers.Serializer[Any]):
    """A route of this version that will end."""

    route = serializers.CharField()
    deprecation = TimeField()
    sunset = serializers.DateTimeField(allow_null=True)


class ApiVersionSerializer(serializers.Serializer[Any]):
    """One version of the API."""

    object = serializers.ChoiceField(choices=["api_version"])
    version = serializers.IntegerField()
    status = serializers.ChoiceField(choices=["current", "supported", "deprecated", "sunset"])
    is_default = serializers.BooleanField()
    supported = serializers.ListField(child=serializers.CharField())
    flags = serializers.DictField(child=serializers.BooleanField())
    deprecation = serializers.DateTimeField(allow_null=True)
    sunset = serializers.DateTimeField(allow_null=True)
    brownouts = serializers.BooleanField()
    deprecated_routes = DeprecatedRouteSerializer(many=True)


class MetaView(ApiView):
    """A version of the API; no credential needed."""

    authentication_classes = ()
    permission_classes = ()
    endpoints: ClassVar = {
        "get": Endpoint(ANY_SCOPE),
    }

    @extend_schema(operation_id="meta_retrieve", responses=ApiVersionSerializer, tags=["meta"], auth=[])
    def get(self, request: Request) -> Response:
        """Return the version's status, features and sunset, and the supported versions."""
        return Response(describe_version(int(request.version or 0)))


def describe_version(version: int) -> dict[str, Any]:
    """Return the body of the endpoint."""
    deprecation = lifecycle.find_deprecation(version)
    routes = [
        deprecation
        for deprecation in lifecycle.configured_deprecations()
        if deprecation.version == version and deprecation.route
    ]
    return {
        "object": "api_version",
        "version": version,
        "status": lifecycle.status_of(version),
        "is_default": version == settings.RENDEROWL_DEFAULT_API_VERSION,
        "supported": lifecycle.supported_versions(),
        "flags": flags_of(version),
        "deprecation": format_time(deprecation.deprecated_at) if deprecation else None,
        "sunset": format_time(deprecation.sunset_at) if deprecation else None,
        "brownouts": settings.RENDEROWL_API_BROWNOUTS,
        "deprecated_routes": [_describe_route(deprecation) for deprecation in routes],
    }


def _describe_route(deprecation: Deprecation) -> dict[str, Any]:
    return {
        "route": deprecation.route,
        "deprecation": format_time(deprecation.deprecated_at),
        "sunset": format_time(deprecation.sunset_at),
    }


api_routes: list[Route] = [Route("meta", MetaView, "meta")]
