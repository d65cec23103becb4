"""Old rows are merged without changing any report, and deleted after their retention."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from core.retention import Retention, retentions
from jobs import services as job_services
from jobs.models import Job
from monitoring.models import CacheMetric, ErrorLog, QueueMetric, RouteMetric, SlowRequest, StatementMetric
from monitoring.performance import downsampling, report
from monitoring.performance.aggregates import RequestAggregate, SeriesKey
from monitoring.performance.downsampling import MergeConflict, merge_routes, merge_statements
from monitoring.performance.monitor import Monitor
from monitoring.performance.sampling import sample_cache, sample_queues
from monitoring.performance.services import route_metric
from monitoring.performance.sketch import bucket_of, decode, encode
from monitoring.performance.windows import floor_to
from tests.factories import make_job
from tests.jobs.inline import run_pending

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def make_row(
    minutes_ago: float, *, process: str = "p1", route: str = "/a", took_us: int = 1000, count: int = 1
) -> None:
    at = NOW - timedelta(minutes=minutes_ago)
    aggregate = RequestAggregate(
        count=count,
        total_us=took_us * count,
        max_us=took_us,
        buckets={bucket_of(took_us): count},
        slowest=[(took_us, "r")],
    )
    route_metric(SeriesKey(int(at.timestamp() // 60), route, "GET", 2), aggregate, process=process).save()


def merge_all(now: Any = NOW) -> int:
    merged = 0
    while batch := merge_routes(now=now):
        merged += batch
    return merged


def sums(window_s: int) -> dict[Any, Any]:
    built = report.build_report(window_s=window_s, now=NOW)
    return {
        name: {
            key: (row.total.count, row.total.total_us, row.total.max_us, row.total.buckets) for key, row in part.items()
        }
        for name, part in (("now", built.totals), ("previous", built.previous), ("last week", built.last_week))
    }


@pytest.fixture(autouse=True)
def _empty_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "monitor", Monitor())


def test_merging_changes_no_report() -> None:
    rng = random.Random(11)
    for age in [*(rng.uniform(0, 400) for _ in range(60)), *(rng.uniform(0, 20 * 1440) for _ in range(120))]:
        make_row(
            age,
            process=rng.choice(["p1", "p2"]) + str(age),
            route=rng.choice(["/a", "/b"]),
            took_us=rng.randint(1, 10**6),
        )
    windows = [60, 3600, 3 * 3600, 5 * 3600, 86400, 2 * 86400, 4 * 86400, 10 * 86400]
    before = {window_s: sums(window_s) for window_s in windows}
    rows = RouteMetric.objects.count()
    assert merge_all() > 0
    assert RouteMetric.objects.count() < rows
    assert {window_s: sums(window_s) for window_s in windows} == before
    assert merge_all() == 0
    young = RouteMetric.objects.filter(started_at__gte=NOW - timedelta(hours=3))
    assert set(young.values_list("resolution_s", flat=True)) == {60}
    old = RouteMetric.objects.filter(started_at__lt=NOW - timedelta(days=3, hours=1))
    assert set(old.values_list("resolution_s", "process")) == {(3600, "")}


def test_a_late_row_is_added_to_the_merged_row() -> None:
    make_row(500, count=2)
    merge_all()
    make_row(500, process="p2", count=3, took_us=5000)
    merge_all()
    row = RouteMetric.objects.get()
    assert (row.count, row.max_us, row.resolution_s, sum(decode(row.sketch).values())) == (5, 5000, 600, 5)
    assert row.slowest == [[5000, "r"], [1000, "r"]]


def test_concurrent_merges_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    make_row(500, count=2)
    real = downsampling._replace

    def late(model: Any, old: Any, new: Any) -> None:
        real(model, old, [route_metric(SeriesKey(1, "/other", "GET", 2), RequestAggregate(), process="")])
        real(model, old, new)

    monkeypatch.setattr(downsampling, "_replace", late)
    with pytest.raises(MergeConflict):
        merge_routes(now=NOW)
    assert RouteMetric.objects.filter(route="/a").count() == 0


def test_statements_of_all_processes_are_merged_by_hour() -> None:
    at = floor_to(NOW - timedelta(hours=6), 3600)
    for process, took_us in (("p1", 1000), ("p2", 3000)):
        StatementMetric.objects.create(
            started_at=at,
            process=process,
            digest="d",
            normalized_sql="S",
            example="S",
            route=f"/{process}",
            count=2,
            total_us=took_us * 2,
            max_us=took_us,
            sketch=encode({bucket_of(took_us): 2}),
        )
    assert merge_statements(now=NOW) == 2
    assert merge_statements(now=NOW) == 0
    row = StatementMetric.objects.get()
    assert (row.process, row.count, row.total_us, row.max_us, row.route) == ("", 4, 8000, 3000, "/p2")
    assert len(decode(row.sketch)) == 2


def make_old_rows(days: int) -> None:
    at = NOW - timedelta(days=days)
    make_row(days * 1440)
    QueueMetric.objects.create(at=at, queue="q", ready=0, scheduled=0, blocked=0, running=0, oldest_ready_s=0)
    CacheMetric.objects.create(at=at, hits=0, lookups=0)
    for fingerprint, resolved_at in (("a", at), ("b", None)):
        ErrorLog.objects.create(
            fingerprint=f"{fingerprint}{days}",
            type="T",
            place="p",
            first_seen_at=at,
            last_seen_at=at,
            resolved_at=resolved_at,
        )
    SlowRequest.objects.create(
        at=at, route="/", method="GET", status=200, duration_ms=1, sql_ms=1, cache_ms=1, queries=1, request_id="r"
    )


@pytest.mark.parametrize(
    ("days", "left"),
    [
        (6, {"routes": 1, "queues": 1, "caches": 1, "errors": 2, "slow": 1}),
        (8, {"routes": 1, "queues": 0, "caches": 0, "errors": 2, "slow": 1}),
        (31, {"routes": 0, "queues": 0, "caches": 0, "errors": 2, "slow": 0}),
        (91, {"routes": 0, "queues": 0, "caches": 0, "errors": 1, "slow": 0}),
    ],
)
def test_measurements_are_deleted_after_their_retention(days: int, left: dict[str, int]) -> None:
    make_old_rows(days)
    for retention in retentions.by_name():
        while retention.delete_batch(NOW):
            pass
        assert retention.count(NOW) == 0
    assert left == {
        "routes": RouteMetric.objects.count(),
        "queues": QueueMetric.objects.count(),
        "caches": CacheMetric.objects.count(),
        "errors": ErrorLog.objects.count(),
        "slow": SlowRequest.objects.count(),
    }


def test_old_rows_are_deleted_in_batches() -> None:
    for minute in range(7):
        make_row(40 * 1440 + minute)
    make_row(10)
    routes = next(retention for retention in retentions.by_name() if retention.name == "route metrics")
    assert (routes.table, routes.count(NOW)) == ("monitoring_routemetric", 7)
    assert [routes.delete_batch(NOW, limit=3) for _ in range(4)] == [3, 3, 1, 0]
    assert routes.count(NOW, keep=timedelta(minutes=1)) == 1
    assert RouteMetric.objects.count() == 1


def test_a_retention_name_is_registered_once() -> None:
    mine = Retention("test rows", lambda: timedelta(days=1), lambda moment: Job.objects.filter(created_at__lt=moment))
    with retentions.override():
        retentions.register(mine)
        with pytest.raises(ValueError, match="test rows"):
            retentions.register(replace(mine, is_fixed=True))
        assert mine in retentions.values()
    assert mine not in retentions.values()


def test_queues_are_sampled_once_per_minute() -> None:
    make_job(queue="renders", scheduled_at=NOW - timedelta(seconds=30))
    job_services.record_worker_started(name="w", hostname="h", pid=1, queues=["renders"], concurrency=3)
    for _ in range(2):
        sample_queues(now=NOW)
    row = QueueMetric.objects.get(queue="renders")
    assert (row.ready, row.running, row.slots, row.busy_slots) == (1, 0, 3, 0)
    assert 29 < row.oldest_ready_s < 40
    assert QueueMetric.objects.filter(queue="default").count() == 1


def test_cache_samples_count_the_hits_of_responses() -> None:
    at = floor_to(NOW, 60) - timedelta(minutes=2)
    aggregate = RequestAggregate(count=5, cache_hits=3, cache_lookups=4)
    route_metric(SeriesKey(int(at.timestamp() // 60), "/a", "GET", 2), aggregate, process="p").save()
    for _ in range(2):
        sample_cache(now=NOW)
    row = CacheMetric.objects.get()
    assert (row.hits, row.lookups) == (3, 4)


@pytest.mark.parametrize("type", ["monitoring.sample", "monitoring.merge", "core.delete_old_rows"])
def test_the_jobs_succeed(type: str) -> None:
    make_row(500)
    make_row(500, process="p2")
    make_row(40 * 1440)
    job = job_services.enqueue(type=type)
    run_pending(queues=["maintenance"])
    job.refresh_from_db()
    assert (job.status, job.error) == ("succeeded", None)
