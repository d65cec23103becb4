"""URL configuration of a small API, with routes that depend on versions and features."""

from __future__ import annotations

from django.urls import include, path
from rest_framework.response import Response

from api.endpoints import ANY_SCOPE, Endpoint
from api.routing import Route, patterns_with_absent
from api.views import ApiView


class EchoView(ApiView):
    authentication_classes = ()
    permission_classes = ()
    endpoints = {
        "get": Endpoint(ANY_SCOPE, feature_parameters={"hurry": "test_hurry"}),
        "post": Endpoint(ANY_SCOPE, feature_parameters={"hurry": "test_hurry"}),
    }

    def get(self, request, **kwargs):
        headers = {"Link": '</next>; rel="next"'} if "page" in request.query_params else {}
        return Response({"route": self.route_name, **kwargs}, headers=headers)

    def post(self, request, **kwargs):
        return Response({})


ROUTES = [
    Route("films", EchoView, "film-list"),
    Route("films/newest", EchoView, "film-newest", since=2),
    Route("films/<id>", EchoView, "film-detail"),
    Route("reels", EchoView, "reel-list", until=1),
    Route("reels/<id>", EchoView, "reel-detail", until=1),
    Route("shapes", EchoView, "shape-old", until=1),
    Route("shapes", EchoView, "shape-new", since=2),
    Route("batches", EchoView, "batch-list", feature="test_batches"),
]

urlpatterns = [
    path(f"api/v{version}/", include((patterns_with_absent(version, ROUTES), "api"), namespace=f"v{version}"))
    for version in (1, 2)
]
