"""URL configuration with a few internal views."""

from __future__ import annotations

from django.urls import include, path
from rest_framework.response import Response

from accounts.authentication import STAFF_AUTHENTICATION
from api.endpoints import ANY_SCOPE, Endpoint
from api.permissions import HasScope, IsStaff
from api.routing import Route, internal_patterns
from api.views import ApiView


class StaffView(ApiView):
    permission_classes = (HasScope, IsStaff)
    endpoints = {"get": Endpoint("jobs:read"), "post": Endpoint("jobs:write")}

    def get(self, request, **kwargs):
        return Response({"user": request.user.username, **kwargs})

    def post(self, request, **kwargs):
        return Response({})


class FiguresView(ApiView):
    authentication_classes = STAFF_AUTHENTICATION
    endpoints = {"get": Endpoint("admin:*"), "post": Endpoint("admin:*")}

    def get(self, request):
        return Response({"user": request.user.username, "kind": request.auth.kind, "version": request.version})

    def post(self, request):
        return Response({})


class FailingView(ApiView):
    endpoints = {"get": Endpoint(ANY_SCOPE)}

    def get(self, request):
        raise RuntimeError("SELECT secret FROM settings")


ROUTES = [
    Route("test/staff", StaffView, "staff-list"),
    Route("test/figures", FiguresView, "figures"),
    Route("test/failing", FailingView, "failing"),
]

urlpatterns = [path("internal/", include((internal_patterns(ROUTES), "internal"), namespace="internal"))]
