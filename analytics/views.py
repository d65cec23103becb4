"""Read-only API views of the caller's analytics, as JSON or CSV."""

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
from analytics import report_rows, selectors
from analytics.csv_export import CONTENT_TYPE, csv_lines
from analytics.models import FAILURES, AnalyticsEventType
from analytics.serializers import ErrorAnalyticsSerializer, RenderAnalyticsSerializer, UsageAnalyticsSerializer
from analytics.time_ranges import MAX_BUCKETS, TimeRange, parse_time_range
from api.endpoints import Endpoint
from api.filters import StrictFilterBackend
from api.renderers import JsonRenderer
from api.views import ApiView
from core.exceptions import InvalidParameter
from core.ids import decode_id
from core.times import format_time
from renders.models import Project

PARAMETERS = [
    OpenApiParameter("interval", str, enum=["hour", "day"], default="hour", description="Length of a bucket."),
    OpenApiParameter(
        "since",
        str,
        description="ISO 8601, UTC unless it has an offset; rounded down to the start of its bucket. Default: 24 hours "
        f"before `until`. At most {MAX_BUCKETS} buckets are allowed.",
    ),
    OpenApiParameter("until", str, description="ISO 8601; rounded up to the end of its bucket. Default: now."),
    OpenApiParameter("project", str, description="Only stats of this project, `prj_...`."),
]
RENDER_TYPES = [
    AnalyticsEventType.RENDER_SUBMITTED.value,
    AnalyticsEventType.RENDER_STARTED.value,
    AnalyticsEventType.RENDER_SUCCEEDED.value,
    AnalyticsEventType.RENDER_FAILED.value,
    AnalyticsEventType.RENDER_CANCELLED.value,
]
USAGE_TYPES = [
    AnalyticsEventType.RENDER_SUCCEEDED.value,
    AnalyticsEventType.RENDER_FAILED.value,
    AnalyticsEventType.RENDER_CANCELLED.value,
    AnalyticsEventType.OUTPUT_DELETED.value,
    AnalyticsEventType.ASSET_READY.value,
    AnalyticsEventType.ASSET_DELETED.value,
    AnalyticsEventType.CREDITS_MOVED.value,
]
ERROR_TYPES = sorted(FAILURES)


class CsvRenderer(JsonRenderer):
    """Accepts `text/csv` in content negotiation. Views stream the CSV; only errors are rendered here, as JSON."""

    media_type = "text/csv"
    format = "csv"


class AnalyticsView(ApiView):
    """Base of the analytics views: one row per bucket, including empty buckets."""

    csv_columns: ClassVar[tuple[str, ...]] = ()
    endpoints: ClassVar = {"get": Endpoint("analytics:read")}
    renderer_classes = (JsonRenderer, CsvRenderer)
    extra_query_params = ("interval", "since", "until", "project")

    def read_query(self, request: Request) -> tuple[TimeRange, selectors.StatScope]:
        """Parse the time range and the project.

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
        time_range = parse_time_range(parameters, timezone.now(), selectors.hourly_stats_since())
        return time_range, selectors.StatScope(request.user.pk, project_id)

    def answer(
        self, request: Request, time_range: TimeRange, rows: Iterable[Mapping[str, Any]], **members: Any
    ) -> HttpResponseBase:
        """Return the rows and the other members as JSON, or only the rows as CSV."""
        response: HttpResponseBase
        if request.accepted_renderer.format == "csv":
            response = StreamingHttpResponse(csv_lines(self.csv_columns, rows), content_type=CONTENT_TYPE)
            name = f"{self.route_name}-{time_range.since:%Y%m%d}-{time_range.until:%Y%m%d}.csv"
            response["Content-Disposition"] = f'attachment; filename="{name}"'
        else:
            response = Response(
                {
                    "object": self.route_name.replace("-", "."),
                    "interval": time_range.interval,
                    "since": format_time(time_range.since),
                    "until": format_time(time_range.until),
                    "project": request.query_params.get("project"),
                    **members,
                    "data": list(rows),
                }
            )
        patch_vary_headers(response, ["Accept"])
        return response


class RendersView(AnalyticsView):
    """Stats of the caller's renders."""

    csv_columns: ClassVar = ("start", *report_rows.render_row({}))

    @extend_schema(
        operation_id="analytics_renders_retrieve",
        parameters=PARAMETERS,
        responses=RenderAnalyticsSerializer,
        tags=["analytics"],
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Return counts, rates, speed and queue waits by hour or day. `Accept: text/csv` returns CSV."""
        time_range, scope = self.read_query(request)
        stats = selectors.read_stats(time_range, scope, RENDER_TYPES)
        rows = ({"start": format_time(start), **row} for start, row in report_rows.render_rows(stats))
        totals = report_rows.render_row(report_rows.merge(stats.buckets.values()))
        return self.answer(request, time_range, rows, totals=totals)


class UsageView(AnalyticsView):
    """Stats of the caller's credits, assets and storage."""

    csv_columns: ClassVar = ("start", *report_rows.usage_row({}, 0))

    @extend_schema(
        operation_id="analytics_usage_retrieve",
        parameters=PARAMETERS,
        responses=UsageAnalyticsSerializer,
        tags=["analytics"],
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Return credits, assets and storage by hour or day. `Accept: text/csv` returns CSV."""
        time_range, scope = self.read_query(request)
        stats = selectors.read_stats(time_range, scope, USAGE_TYPES, with_storage=True)
        rows = ({"start": format_time(start), **row} for start, row in report_rows.usage_rows(stats))
        whole = report_rows.merge(stats.buckets.values())
        totals = report_rows.usage_row(whole, stats.stored_bytes + report_rows.growth(whole))
        return self.answer(request, time_range, rows, totals=totals)


class ErrorsView(AnalyticsView):
    """Stats of failed renders and imports of the caller."""

    csv_columns: ClassVar = ("start", "object", "code", "count")

    @extend_schema(
        operation_id="analytics_errors_retrieve",
        parameters=PARAMETERS,
        responses=ErrorAnalyticsSerializer,
        tags=["analytics"],
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Return failed renders and imports by error code, with the share and the latest example of each."""
        time_range, scope = self.read_query(request)
        stats = selectors.read_stats(time_range, scope, ERROR_TYPES)
        if request.accepted_renderer.format == "csv":
            return self.answer(request, time_range, report_rows.error_table(stats))
        rows = ({"start": format_time(start), **row} for start, row in report_rows.error_rows(stats))
        whole = report_rows.merge(stats.buckets.values())
        codes = report_rows.errors_by_code(whole)
        return self.answer(request, time_range, rows, totals=report_rows.error_row(whole), codes=codes)
