"""Endpoints of analytics: they only read, of the caller's own account."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from analytics import selectors, shapes
from analytics.models import FAILURES, EventType
from analytics.serializers import ErrorAnalyticsSerializer, RenderAnalyticsSerializer, UsageAnalyticsSerializer
from analytics.spans import MAX_BUCKETS, Span, read_span
from analytics.tables import CONTENT_TYPE, csv_lines
from api.endpoints import Endpoint
from api.filters import StrictFilterBackend
from api.renderers import JsonRenderer
from api.views import ApiView
from core.exceptions import InvalidParameter
from core.ids import decode_id
from core.times import format_time
from renders.models import Project

PARAMETERS = [
    OpenApiParameter("interval", str, enum=["hour", "day"], default="hour", description="How long a bucket is."),
    OpenApiParameter(
        "since",
        str,
        description="ISO 8601, UTC without an offset; widened to the beginning of its bucket. 24 hours before `until` "
        f"by default. An answer has at most {MAX_BUCKETS} buckets.",
    ),
    OpenApiParameter("until", str, description="ISO 8601; widened to the end of its bucket. Now by default."),
    OpenApiParameter("project", str, description="Only what belongs to this project, `prj_...`."),
]
RENDER_TYPES = [
    EventType.RENDER_SUBMITTED.value,
    EventType.RENDER_STARTED.value,
    EventType.RENDER_SUCCEEDED.value,
    EventType.RENDER_FAILED.value,
    EventType.RENDER_CANCELLED.value,
]
USAGE_TYPES = [
    EventType.RENDER_SUCCEEDED.value,
    EventType.RENDER_FAILED.value,
    EventType.RENDER_CANCELLED.value,
    EventType.OUTPUT_DELETED.value,
    EventType.ASSET_READY.value,
    EventType.ASSET_DELETED.value,
    EventType.CREDITS_MOVED.value,
]
ERROR_TYPES = sorted(FAILURES)


class CsvRenderer(JsonRenderer):
    """Stands for `Accept: text/csv` when the kind of answer is chosen.

    Views stream the lines themselves; what is left to be written here are refusals, which are JSON.
    """

    media_type = "text/csv"
    format = "csv"


class AnalyticsView(ApiView):
    """Figures of the caller's account over time, without gaps. csv_columns: of the table."""

    csv_columns: ClassVar[tuple[str, ...]] = ()
    endpoints: ClassVar = {
        "get": Endpoint("analytics:read"),
    }
    renderer_classes = (JsonRenderer, CsvRenderer)
    extra_query_params = ("interval", "since", "until", "project")

    def read_query(self, request: Request) -> tuple[Span, selectors.Scope]:
        """Return what is asked for.

        Raises InvalidParameter.
        """
        StrictFilterBackend().filter_queryset(request, Project.objects.none(), self)
        assert isinstance(request.user, User)
        parameters = request.query_params
        project_id: UUID | None = None
        if "project" in parameters:
            try:
                project_id = decode_id(Project.ID_PREFIX, parameters["project"])
            except ValueError:
                raise InvalidParameter("project", f"This is not a {Project.ID_PREFIX}_ id.") from None
        span = read_span(parameters, timezone.now(), selectors.hours_kept_since())
        return span, selectors.Scope(request.user.pk, project_id)

    def answer(
        self, request: Request, span: Span, rows: Iterable[Mapping[str, Any]], **members: Any
    ) -> HttpResponseBase:
        """Return the rows: JSON with the members beside them, or nothing but the rows as CSV."""
        response: HttpResponseBase
        if request.accepted_renderer.format == "csv":
            response = StreamingHttpResponse(csv_lines(self.csv_columns, rows), content_type=CONTENT_TYPE)
            name = f"{self.route_name}-{span.since:%Y%m%d}-{span.until:%Y%m%d}.csv"
            response["Content-Disposition"] = f'attachment; filename="{name}"'
        else:
            response = Response(
                {
                    "object": self.route_name.replace("-", "."),
                    "interval": span.interval,
                    "since": format_time(span.since),
                    "until": format_time(span.until),
                    "project": request.query_params.get("project"),
                    **members,
                    "data": list(rows),
                }
            )
        patch_vary_headers(response, ["Accept"])
        return response


class RendersView(AnalyticsView):
    """What became of the caller's renders."""

    csv_columns: ClassVar = ("start", *shapes.render_row({}))

    @extend_schema(
        operation_id="analytics_renders_retrieve",
        parameters=PARAMETERS,
        responses=RenderAnalyticsSerializer,
        tags=["analytics"],
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Return counts, rates, speed and waits by hour or day. `Accept: text/csv` gives a table."""
        span, scope = self.read_query(request)
        figures = selectors.read_figures(span, scope, RENDER_TYPES)
        rows = ({"start": format_time(start), **row} for start, row in shapes.render_rows(figures))
        totals = shapes.render_row(shapes.merge(figures.tallies.values()))
        return self.answer(request, span, rows, totals=totals)


class UsageView(AnalyticsView):
    """What the caller paid and keeps."""

    csv_columns: ClassVar = ("start", *shapes.usage_row({}, 0))

    @extend_schema(
        operation_id="analytics_usage_retrieve",
        parameters=PARAMETERS,
        responses=UsageAnalyticsSerializer,
        tags=["analytics"],
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Return credits, assets and storage by hour or day. `Accept: text/csv` gives a table."""
        span, scope = self.read_query(request)
        figures = selectors.read_figures(span, scope, USAGE_TYPES, with_storage=True)
        rows = ({"start": format_time(start), **row} for start, row in shapes.usage_rows(figures))
        whole = shapes.merge(figures.tallies.values())
        totals = shapes.usage_row(whole, figures.stored_bytes + shapes.growth(whole))
        return self.answer(request, span, rows, totals=totals)


class ErrorsView(AnalyticsView):
    """What failed, and why."""

    csv_columns: ClassVar = ("start", "object", "code", "count")

    @extend_schema(
        operation_id="analytics_errors_retrieve",
        parameters=PARAMETERS,
        responses=ErrorAnalyticsSerializer,
        tags=["analytics"],
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Return failures of renders and imports by code, with shares and the newest example of each."""
        span, scope = self.read_query(request)
        figures = selectors.read_figures(span, scope, ERROR_TYPES)
        if request.accepted_renderer.format == "csv":
            return self.answer(request, span, shapes.error_table(figures))
        rows = ({"start": format_time(start), **row} for start, row in shapes.error_rows(figures))
        whole = shapes.merge(figures.tallies.values())
        codes = shapes.errors_by_code(whole)
        return self.answer(request, span, rows, totals=shapes.error_row(whole), codes=codes)
