"""Views of `/internal/performance`, `/internal/query-analysis` and `/internal/errors`, for staff."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import STAFF_AUTHENTICATION
from api.endpoints import Endpoint
from api.pagination import whole_number
from api.permissions import HasScope, IsStaff
from api.views import ApiView, ApiViewSet
from core.exceptions import InvalidParameter
from monitoring import services
from monitoring.filters import ErrorFilterSet
from monitoring.models import ErrorLog
from monitoring.performance import query_analysis, report
from monitoring.performance.system import describe_system
from monitoring.performance.windows import DEFAULT_WINDOW_S, MAX_WINDOW_S, MIN_WINDOW_S
from monitoring.serializers import ErrorLogDetailSerializer, ErrorLogSerializer

MAX_PLANS = 50


class InternalView(ApiView):
    """Base view for staff, authenticated by API key, token or admin session."""

    authentication_classes = STAFF_AUTHENTICATION
    endpoints: ClassVar = {
        "get": Endpoint("admin:*"),
    }
    parameters: ClassVar[frozenset[str]] = frozenset()

    def check_parameters(self, request: Request) -> None:
        """Raise InvalidParameter for an unknown query parameter."""
        for name in request.query_params:
            if name not in self.parameters:
                raise InvalidParameter(name, f"{name} is not a parameter of this path.")


class WindowedView(InternalView):
    """Base view of measurements over the last `window_s` seconds."""

    parameters = frozenset({"window_s"})

    def window_s(self, request: Request) -> int:
        """Return the requested length of the window in seconds. Raises InvalidParameter."""
        self.check_parameters(request)
        length = whole_number(request.query_params, "window_s", DEFAULT_WINDOW_S, MAX_WINDOW_S)
        if length < MIN_WINDOW_S:
            raise InvalidParameter(
                "window_s", f"window_s must be a whole number from {MIN_WINDOW_S} to {MAX_WINDOW_S}."
            )
        return length


class RoutesView(WindowedView):
    """All routes, busiest first."""

    rows = staticmethod(report.all_routes)

    def get(self, request: Request) -> Response:
        """Return the routes of the window, compared with the window before and a week ago."""
        window_s = self.window_s(request)
        routes = report.build_report(window_s=window_s)
        return Response(
            {
                "window_s": window_s,
                "from": routes.window.start,
                "to": routes.window.end,
                "error_bound": report.error_bound(),
                "previous": {"from": routes.previous_window.start, "to": routes.previous_window.end},
                "last_week": {"from": routes.last_week_window.start, "to": routes.last_week_window.end},
                "routes": self.rows(routes),
            }
        )


class SlowRoutesView(RoutesView):
    """The ten routes with the highest 95th percentile."""

    rows = staticmethod(report.slow_routes)


class ErrorRoutesView(RoutesView):
    """The ten routes with the highest error rates."""

    rows = staticmethod(report.error_routes)


class SystemView(InternalView):
    """Processes, memory, CPU, database, queue and cache."""

    def get(self, request: Request) -> Response:
        """Return the state of processes, machine, database, queue and cache."""
        self.check_parameters(request)
        return Response(describe_system())


class QueryAnalysisView(WindowedView):
    """The most expensive SQL statements and their query plans."""

    parameters = frozenset({"window_s", "sort", "limit"})

    def get(self, request: Request) -> Response:
        """Return the most expensive statements with their plans."""
        window_s = self.window_s(request)
        sort = request.query_params.get("sort", query_analysis.SORTS[0])
        if sort not in query_analysis.SORTS:
            raise InvalidParameter("sort", f"sort must be one of: {', '.join(query_analysis.SORTS)}.")
        limit = whole_number(request.query_params, "limit", 10, MAX_PLANS)
        return Response(query_analysis.analyze_statements(window_s=window_s, sort=sort, limit=limit))


class ErrorViewSet(ApiViewSet):
    """Unhandled errors, one per type and place."""

    authentication_classes = STAFF_AUTHENTICATION
    permission_classes = (HasScope, IsStaff)
    queryset = ErrorLog.objects.all()
    filterset_class = ErrorFilterSet
    ordering = "-last_seen_at"
    ordering_fields = ("last_seen_at",)
    endpoints: ClassVar = {
        "list": Endpoint("admin:*"),
        "retrieve": Endpoint("admin:*", row_etag=True),
        "resolve": Endpoint("admin:*"),
    }
    serializers: ClassVar = {"default": ErrorLogDetailSerializer, "list": ErrorLogSerializer}

    def get_queryset(self) -> QuerySet[Any]:
        """Return all errors: they have no owner."""
        rows = ErrorLog.objects.select_related("resolved_by")
        return rows.defer("traceback") if self.action == "list" else rows

    def list(self, request: Request) -> Response:
        """List errors, latest first."""
        rows = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(rows, many=True).data)

    def retrieve(self, request: Request, id: str) -> Response:  # noqa: A002 - the name in the URL
        """Retrieve an error with its latest traceback."""
        return Response(self.get_serializer(self.get_object()).data)

    def resolve(self, request: Request, id: str) -> Response:  # noqa: A002
        """Mark an error as resolved; repeating this changes nothing."""
        services.resolve_error(error_id=self.get_object().pk, user=request.user)
        return Response(self.get_serializer(self.get_object()).data)
