"""URLs of the probes and of `/internal/`."""

from django.urls import path

from api.routing import Route
from monitoring.health.views import health, live, ready
from monitoring.metrics.views import ScalingView, metrics
from monitoring.views import ErrorRoutesView, ErrorViewSet, QueryAnalysisView, RoutesView, SlowRoutesView, SystemView

health_urls = [
    path("live", live, name="live"),
    path("ready", ready, name="ready"),
    path("health", health, name="health"),
    path("health/<str:check>", health, name="health-check"),
    path("metrics", metrics, name="metrics"),
]

internal_routes: list[Route] = [
    Route("scaling/<str:queue>", ScalingView, "internal-scaling"),
    Route("performance/routes", RoutesView, "internal-performance-routes"),
    Route("performance/slow-routes", SlowRoutesView, "internal-performance-slow-routes"),
    Route("performance/error-routes", ErrorRoutesView, "internal-performance-error-routes"),
    Route("performance/system", SystemView, "internal-performance-system"),
    Route("query-analysis", QueryAnalysisView, "internal-query-analysis"),
    Route("errors", ErrorViewSet, "internal-error-list", {"get": "list"}),
    Route("errors/<id>", ErrorViewSet, "internal-error-detail", {"get": "retrieve"}),
    Route("errors/<id>/resolve", ErrorViewSet, "internal-error-resolve", {"post": "resolve"}),
]
