"""Each index of monitoring serves the query in its comment, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from monitoring.models import ErrorLog, QueueMetric, RouteMetric, ServerProcess, SlowRequest, StatementMetric

pytestmark = pytest.mark.django_db
TIMES = ("total_us", "sql_us", "cache_us", "max_us")
NUMBERS = dict.fromkeys((*TIMES, "count", "queries", "size_bytes", "cache_hits", "cache_lookups", "slow_count"), 1)
ROWS = 1500


@pytest.fixture
def many_rows() -> None:
    now = timezone.now()
    times = [now - timedelta(minutes=number) for number in range(ROWS)]
    RouteMetric.objects.bulk_create(
        RouteMetric(
            started_at=at,
            process=f"p{n}",
            route=f"/{n % 50}",
            method="GET",
            status_class=2,
            sketch=b"",
            **NUMBERS,
        )
        for n, at in enumerate(times)
    )
    StatementMetric.objects.bulk_create(
        StatementMetric(
            started_at=at, digest=str(n), normalized_sql="S", route="/", count=1, total_us=1, max_us=1, sketch=b""
        )
        for n, at in enumerate(times)
    )
    SlowRequest.objects.bulk_create(
        SlowRequest(
            at=at,
            route="/",
            method="GET",
            status=200,
            duration_ms=1,
            sql_ms=1,
            cache_ms=1,
            queries=1,
            request_id=f"r{n}",
        )
        for n, at in enumerate(times)
    )
    ServerProcess.objects.bulk_create(
        ServerProcess(token=f"t{n}", hostname="h", pid=n, started_at=at, last_seen_at=at) for n, at in enumerate(times)
    )
    ErrorLog.objects.bulk_create(
        ErrorLog(
            fingerprint=f"f{n}",
            type=f"T{n % 40}",
            place="p",
            first_seen_at=at,
            last_seen_at=at,
            request_id=f"r{n}",
            resolved_at=None if n % 30 == 0 else at,
        )
        for n, at in enumerate(times)
    )
    QueueMetric.objects.bulk_create(
        QueueMetric(at=at, queue="q", ready=0, scheduled=0, blocked=0, running=0, oldest_ready_s=0) for at in times
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def test_each_index_serves_its_query(many_rows: None) -> None:
    lately = timezone.now() - timedelta(minutes=20)
    window = {"started_at__gte": lately, "started_at__lt": timezone.now()}
    newest_errors = ErrorLog.objects.order_by("-last_seen_at", "-id")
    queries = {
        "idx_api_metrics_time": RouteMetric.objects.filter(**window),
        "idx_api_metrics_route": RouteMetric.objects.filter(route="/7", **window).order_by("started_at"),
        "idx_statement_metrics_time": StatementMetric.objects.filter(**window),
        "idx_server_processes_seen": ServerProcess.objects.filter(last_seen_at__gt=lately).order_by("-last_seen_at"),
        "idx_slow_requests_time": SlowRequest.objects.order_by("-at")[:50],
        "idx_slow_requests_request": SlowRequest.objects.filter(request_id="r7"),
        "idx_error_logs_time": newest_errors[:26],
        "idx_error_logs_type": ErrorLog.objects.filter(type="T7").order_by("-last_seen_at")[:26],
        "idx_error_logs_unresolved": newest_errors.filter(resolved_at__isnull=True)[:26],
        "idx_error_logs_request": ErrorLog.objects.filter(request_id="r7"),
        "idx_error_logs_resolved": ErrorLog.objects.filter(
            resolved_at__isnull=False, resolved_at__lt=timezone.now() - timedelta(minutes=ROWS - 20)
        )
        .order_by("resolved_at")
        .values("pk")[:500],
        "uniq_error_logs_open": ErrorLog.objects.filter(fingerprint="f30", resolved_at__isnull=True),
        "idx_queue_metrics_time": QueueMetric.objects.filter(at__gte=lately),
    }
    for name, rows in queries.items():
        plan = rows.explain()
        assert name in plan, f"{name} is not used:\n{plan}"
