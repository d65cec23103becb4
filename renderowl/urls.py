"""URL configuration of the project."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from accounts.staff_login import StaffCodeView, StaffLoginView
from accounts.staff_second_factor import SecondFactorView
from accounts.urls import api_routes as account_routes
from analytics.urls import admin_urls as analytics_admin_urls
from analytics.urls import api_routes as analytics_routes
from api.docs import RedocView, SchemaView, SwaggerView, migration_page, problem_index, problem_page, sunset_page
from api.downloads import send_file
from api.meta import api_routes as meta_routes
from api.routing import Route, internal_patterns, patterns_for, patterns_with_absent
from assets.urls import api_routes as asset_routes
from automations.urls import api_routes as automation_routes
from automations.urls import webhook_urls
from credits.urls import api_routes as credit_routes
from credits.urls import internal_routes as internal_credit_routes
from jobs.urls import internal_routes as internal_job_routes
from monitoring.urls import health_urls
from monitoring.urls import internal_routes as internal_monitoring_routes
from notifications.urls import api_routes as notification_routes
from renders.urls import api_routes as render_routes
from renders.urls import internal_routes as internal_render_routes
from renders.urls import upload_urls, webhook_routes

API_ROUTES: list[Route] = [
    *meta_routes,
    *account_routes,
    *asset_routes,
    *credit_routes,
    *render_routes,
    *analytics_routes,
    *notification_routes,
    *automation_routes,
]

# Unversioned and not in the OpenAPI documents; described in docs/api.md.
INTERNAL_ROUTES: list[Route] = [
    *internal_credit_routes,
    *internal_job_routes,
    *internal_monitoring_routes,
    *internal_render_routes,
]


def documented_patterns(version: int) -> tuple[URLPattern | URLResolver, ...]:
    """Return the URL patterns that the OpenAPI document of a version describes."""
    return (path(f"api/v{version}/", include(patterns_for(version, API_ROUTES))),)


def _version_urls(version: int) -> list[URLPattern | URLResolver]:
    prefix = f"api/v{version}/"
    documented = SchemaView.as_view(patterns=documented_patterns(version))
    return [
        path(f"{prefix}schema", documented, name=f"schema-v{version}"),
        path(prefix, include((patterns_with_absent(version, API_ROUTES), "api"), namespace=f"v{version}")),
    ]


# The API first: patterns are tried in order, and nearly every request is for the API.
urlpatterns: list[URLPattern | URLResolver] = [
    pattern for version in reversed(settings.RENDEROWL_API_VERSIONS) for pattern in _version_urls(version)
]
urlpatterns += [
    path("", RedirectView.as_view(url="/admin/"), name="home"),
    path("admin/login/", StaffLoginView.as_view()),
    path("admin/login/code/", StaffCodeView.as_view(), name="staff-code"),
    path("admin/second-factor/", SecondFactorView.as_view(), name="second-factor"),
    *analytics_admin_urls,
    path("admin/", admin.site.urls),
    path("api/docs/", SwaggerView.as_view(), name="docs"),
    path("api/redoc/", RedocView.as_view(), name="redoc"),
    path("problems/", problem_index, name="problems"),
    path("problems/<slug:code>", problem_page, name="problem"),
    path("docs/migrate-v<int:version>", migration_page, name="migration"),
    path("docs/sunset", sunset_page, name="sunset"),
    path("internal/", include((internal_patterns(INTERNAL_ROUTES), "internal"), namespace="internal")),
    *webhook_urls,
    path("webhooks/", include((internal_patterns(webhook_routes), "webhooks"), namespace="webhooks")),
    *upload_urls,
    path("files/<str:token>/<str:name>", send_file, name="file"),
    *health_urls,
]
