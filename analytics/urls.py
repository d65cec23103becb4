"""Paths of the API, and of the charts of the admin."""

from django.contrib import admin
from django.urls import URLPattern, path

from analytics.admin import show_charts
from analytics.views import ErrorsView, RendersView, UsageView
from api.routing import Route

api_routes: list[Route] = [
    Route("analytics/renders", RendersView, "analytics-renders"),
    Route("analytics/usage", UsageView, "analytics-usage"),
    Route("analytics/errors", ErrorsView, "analytics-errors"),
]

# Beside the lists and not below one of them, whose entry in the sidebar would light up as well.
admin_urls: list[URLPattern] = [
    path("admin/analytics/charts/", admin.site.admin_view(show_charts), name="analytics-charts"),
]
