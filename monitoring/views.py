"""`/internal/performance`, `/internal/query-analysis`, `/internal/errors`: for staff and their programs."""

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
    """Something that staff read, by key, token or the admin's session."""

    authentication_classes = STAFF_AUTHENTICATION
    endpoints: ClassVar = {
        "get": Endpoint("admin:*"),
    }
    parameters: ClassVar[frozenset[str]] = frozenset()

    def check_parameters(self, request: Request) -> None:
        """Raise InvalidParameter for a query parameter that is not known here."""
        for name in request.query_params:
            if name not in self.parameters:
                raise InvalidParameter(name, f"{name} is not a parameter of this path.")


class WindowedView(InternalView):
    """Something measured over the last `window_s` seconds."""

    parameters = frozenset({"window_s"})

    def window_s(self, request: Request) -> int:
        """Return how long a window is asked for.

        Raises InvalidParameter.
        """
        self.check_parameters(request)
        length = whole_number(request.query_params, "window_s", DEFAULT_WINDOW_S, MAX_WINDOW_S)
        if length < MIN_WINDOW_S:
            raise InvalidParameter(
                "window_s", f"window_s must be a whole number from {MIN_WINDOW_S} to {MAX_WINDOW_S}."
            )
        return length


class RoutesView(WindowedView):
    """What every route did, the busiest first."""

    rows = staticmethod(report.all_routes)

    def get(self, request: Request) -> Response:
        """Return the routes over the window, beside the window before and that of a week before."""
        window_s = self.window_s(request)
        found = report.build_report(window_s=window_s)
        return Response(
            {
                "window_s": window_s,
                "from": found.window.start,
                "to": found.window.end,
                "error_bound": report.error_bound(),
                "previous": {"from": found.previous_window.start, "to": found.previous_window.end},
                "last_week": {"from": found.last_week_window.start, "to": found.last_week_window.end},
                "routes": self.rows(found),
            }
        )


class SlowRoutesView(RoutesView):
    """The routes whose 95th percentile is the highest."""

    rows = staticmethod(report.slow_routes)


class ErrorRoutesView(RoutesView):
    """The routes that fail most often."""

    rows = staticmethod(report.error_routes)


class SystemView(InternalView):
    """Processes, memory, CPU, database, queue and cache."""

    def get(self, request: Request) -> Response:
        """Return the state of the installation."""
        self.check_parameters(request)
        return Response(describe_system())


class QueryAnalysisView(WindowedView):
    """The dearest SQL and how the database runs it."""

    parameters = frozenset({"window_s", "sort", "limit"})

    def get(self, request: Request) -> Response:
        """Return the dearest statements with their plans."""
        window_s = self.window_s(request)
        sort = request.query_params.get("sort", query_analysis.SORTS[0])
        if sort not in query_analysis.SORTS:
            raise InvalidParameter("sort", f"sort must be one of: {', '.join(query_analysis.SORTS)}.")
        limit = whole_number(request.query_params, "limit", 10, MAX_PLANS)
        return Response(query_analysis.analyse_statements(window_s=window_s, sort=sort, limit=limit))


class ErrorViewSet(ApiViewSet):
    """Unhandled failures, one for each kind and place."""

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
        """Return the failures of the installation: they belong to nobody."""
        rows = ErrorLog.objects.select_related("resolved_by")
        return rows.defer("traceback") if self.action == "list" else rows

    def list(self, request: Request) -> Response:
        """List failures, the latest first."""
        rows = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(rows, many=True).data)

    def retrieve(self, request: Request, id: str) -> Response:  # noqa: A002 - the name in the URL
        """Show a failure with its latest traceback."""
        return Response(self.get_serializer(self.get_object()).data)

    def resolve(self, request: Request, id: str) -> Response:  # noqa: A002
        """Say that a failure is dealt with; saying it twice changes nothing."""
        services.resolve_error(error_id=self.get_object().pk, user=request.user)
        return Response(self.get_serializer(self.get_object()).data)
