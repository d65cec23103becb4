"""Routes of the analytics API and the URL of the charts page."""

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

# Not below the URL of a list, whose sidebar entry would then be active as well.
admin_urls: list[URLPattern] = [
    path("admin/analytics/charts/", admin.site.admin_view(show_charts), name="analytics-charts"),
]
