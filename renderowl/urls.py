"""Where every path leads."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from accounts.staff_login import log_in_staff
from accounts.urls import api_routes as account_routes
from assets.urls import api_routes as asset_routes
from core.api.docs import RedocView, SchemaView, SwaggerView, migration_page, problem_page, sunset_page
from core.api.meta import api_routes as meta_routes
from core.api.routing import Route, patterns_for, patterns_with_absent
from core.files.urls import file_urls
from credits.urls import api_routes as credit_routes
from monitoring.urls import health_urls
from renders.urls import api_routes as render_routes

API_ROUTES: list[Route] = [*meta_routes, *account_routes, *asset_routes, *credit_routes, *render_routes]


def documented_patterns(version: int) -> tuple[URLPattern | URLResolver, ...]:
    """Return what the OpenAPI document of a version describes."""
    return (path(f"api/v{version}/", include(patterns_for(version, API_ROUTES))),)


def _version_urls(version: int) -> list[URLPattern | URLResolver]:
    prefix = f"api/v{version}/"
    documented = SchemaView.as_view(patterns=documented_patterns(version))
    return [
        path(f"{prefix}schema", documented, name=f"schema-v{version}"),
        path(prefix, include((patterns_with_absent(version, API_ROUTES), "api"), namespace=f"v{version}")),
    ]


urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(url="/admin/"), name="home"),
    path("admin/login/", log_in_staff),
    path("admin/", admin.site.urls),
    path("api/docs/", SwaggerView.as_view(), name="docs"),
    path("api/redoc/", RedocView.as_view(), name="redoc"),
    path("problems/<slug:code>", problem_page, name="problem"),
    path("docs/migrate-v<int:version>", migration_page, name="migration"),
    path("docs/sunset", sunset_page, name="sunset"),
    *file_urls,
    *health_urls,
]
for _version in settings.RENDEROWL_API_VERSIONS:
    urlpatterns += _version_urls(_version)
