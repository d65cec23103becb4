"""Documentation pages: OpenAPI schema, Swagger UI, Redoc, problem types, migration guides and sunsets."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView, SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response

from api import lifecycle
from api.deprecations import MIN_NOTICE, Deprecation
from api.problem_types import PROBLEM_TYPES
from api.renderers import JsonRenderer


class SchemaView(SpectacularAPIView):
    """The OpenAPI document of one version; built once per process."""

    authentication_classes: list[Any] = []
    versioning_class = None

    def handle_exception(self, exc: Exception) -> Response:
        """Render an error as JSON, whatever format the request asked for."""
        response = super().handle_exception(exc)
        self.request.accepted_renderer = JsonRenderer()
        self.request.accepted_media_type = JsonRenderer.media_type
        return response

    def _get_schema_response(self, request: Request) -> Response:
        document = build_document(
            tuple(self.patterns or ()), int(getattr(request, "api_version", 2)), lifecycle.configured_deprecations()
        )
        return Response(document, headers={"Cache-Control": "public, max-age=300", "Vary": "Accept"})


@lru_cache(maxsize=8)
def build_document(
    patterns: tuple[Any, ...], version: int, deprecations: tuple[Deprecation, ...] = ()
) -> dict[str, Any]:
    """Build the OpenAPI document of one version's URL patterns. deprecations: part of the cache key."""
    document: dict[str, Any] = SchemaGenerator(patterns=list(patterns)).get_schema(request=None, public=True)
    document["info"]["version"] = f"{version}.0.0"
    return document


class SwaggerView(SpectacularSwaggerSplitView):
    """Swagger UI from our own static files, with its script in a separate file: the CSP forbids inline code."""

    authentication_classes: list[Any] = []
    url_name = f"schema-v{max(settings.RENDEROWL_API_VERSIONS)}"
    url_self: str | None = None


class RedocView(SpectacularRedocView):
    """Redoc from our own static files."""

    authentication_classes: list[Any] = []
    url_name = f"schema-v{max(settings.RENDEROWL_API_VERSIONS)}"
    template_name = "api/redoc.html"


def problem_page(request: HttpRequest, code: str) -> HttpResponse:
    """Explain one problem type, at the URI in the `type` member of problem documents."""
    problem = PROBLEM_TYPES.get(code.replace("-", "_"))
    if problem is None:
        raise Http404
    return render(request, "api/problem.html", {"problem": problem})


def problem_index(request: HttpRequest) -> HttpResponse:
    """List all problem types."""
    problems = sorted(PROBLEM_TYPES.values(), key=lambda problem: (problem.status, problem.code))
    return render(request, "api/problems.html", {"problems": problems})


def migration_page(request: HttpRequest, version: int) -> HttpResponse:
    """Explain how to migrate to a version from the one before it."""
    if version != 2 or version not in settings.RENDEROWL_API_VERSIONS:
        raise Http404
    return render(request, f"api/migrate_v{version}.html", {"deprecation": lifecycle.find_deprecation(version - 1)})


def sunset_page(request: HttpRequest) -> HttpResponse:
    """List deprecated versions and routes, and when they end."""
    deprecations = sorted(lifecycle.configured_deprecations(), key=lambda deprecation: deprecation.deprecated_at)
    guides = [
        guide if (guide := lifecycle.migration_guide(deprecation)) != lifecycle.SUNSET_PAGE else ""
        for deprecation in deprecations
    ]
    context = {
        "rows": [
            {"deprecation": deprecation, "guide": guide}
            for deprecation, guide in zip(deprecations, guides, strict=True)
        ],
        "notice_days": MIN_NOTICE.days,
        "brownouts": settings.RENDEROWL_API_BROWNOUTS,
        "brownout_days": lifecycle.BROWNOUT_PERIOD.days,
    }
    return render(request, "api/sunset.html", context)
