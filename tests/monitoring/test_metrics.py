"""`/metrics` and `/internal/scaling/<queue>`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from rest_framework.test import APIClient

from analytics.models import AnalyticsEvent, DailyStat
from api.ratelimit.limiter import ERRORS
from core.counters import count
from jobs.models import QueueState, Worker
from monitoring.metrics import collector, queries
from monitoring.metrics import views as metrics_views
from monitoring.metrics.collector import RenderowlCollector
from tests.api.test_problems import assert_problem
from tests.factories import make_delivery, make_job, make_user
from tests.permission_matrix import Access, check_access

TOKEN = "a-token-of-the-metrics"
Samples = dict[tuple[str, tuple[str, ...]], float]


def samples_of(text: str) -> Samples:
    """Parse an exposition with the Prometheus client library."""
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scrape() -> Samples:
    """Return the samples of a new collector, read now."""
    registry = CollectorRegistry()
    registry.register(RenderowlCollector())
    return samples_of(generate_latest(registry).decode())


def make_worker(name: str, *, busy: int, slots: int = 4, queues: tuple[str, ...] = ("default",)) -> Worker:
    return Worker.objects.create(name=name, hostname="h", pid=1, concurrency=slots, busy=busy, queues=list(queues))


class TestScrapePermission:
    @pytest.fixture(autouse=True)
    def _without_a_database(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(metrics_views, "_installation", CollectorRegistry())

    def test_loopback_needs_no_token_if_none_is_set(self, api: APIClient) -> None:
        response = api.get("/metrics", HTTP_HOST="10.1.2.3:8000")
        assert response.status_code == 200
        assert response["Content-Type"].startswith("text/plain; version=")
        assert samples_of(response.content.decode())

    @pytest.mark.parametrize(
        "headers",
        [
            {"REMOTE_ADDR": "10.0.0.7"},
            {"REMOTE_ADDR": ""},
            {"HTTP_X_FORWARDED_FOR": "203.0.113.9"},
            {"HTTP_FORWARDED": "for=203.0.113.9"},
        ],
    )
    def test_other_addresses_need_a_token(self, api: APIClient, headers: dict[str, str]) -> None:
        assert_problem(api.get("/metrics", **headers), 401, "unauthenticated")

    def test_a_configured_token_is_required(self, api: APIClient, settings: Any) -> None:
        settings.RENDEROWL_METRICS_TOKEN = TOKEN
        assert api.get("/metrics", HTTP_AUTHORIZATION=f"Bearer {TOKEN}", REMOTE_ADDR="10.0.0.7").status_code == 200
        for header in ("", f"Bearer {TOKEN}x", "Bearer ", f"Basic {TOKEN}", "Bearer \xe9"):
            assert_problem(api.get("/metrics", HTTP_AUTHORIZATION=header), 401, "unauthenticated")

    def test_other_methods_are_refused(self, api: APIClient) -> None:
        assert_problem(api.post("/metrics"), 405, "method_not_allowed")


def test_clients_cannot_create_series(api: APIClient) -> None:
    def series() -> set[tuple[str, tuple[str, ...]]]:
        found = samples_of(generate_latest(metrics_views.REGISTRY).decode())
        return {key for key in found if key[0].startswith("django_http") and not key[0].endswith("_created")}

    for number in range(2):
        api.generic(f"BREW{number}", f"/nowhere/{number}")
        api.get(f"/api/v2/renders/rnd_{number}")
    before = series()
    for number in range(20):
        api.generic(f"MADEUP{number}", f"/nowhere/{number}")
        api.generic(f"MADEUP{number}", f"/api/v2/renders/rnd_{number}")
        api.get(f"/api/v2/renders/rnd_x{number}")
        api.get(f"/health/x{number}")
    assert not any("MADEUP" in label for _, labels in series() for label in labels)
    assert len(series() - before) < 60


def test_a_failing_limiter_is_counted() -> None:
    registry = metrics_views.REGISTRY
    before = registry.get_sample_value(ERRORS) or 0
    count(ERRORS, 3)
    assert registry.get_sample_value(ERRORS) == before + 3


@pytest.mark.django_db
class TestQueries:
    def test_queues_and_workers(self) -> None:
        now = timezone.now()
        make_job(scheduled_at=now - timedelta(seconds=90))
        make_job(scheduled_at=now - timedelta(seconds=10))
        make_job(status="running")
        make_job(status="scheduled", scheduled_at=now + timedelta(hours=1))
        make_job(status="blocked", scheduled_at=now - timedelta(days=1))
        make_job(queue="paused", scheduled_at=now - timedelta(days=1))
        QueueState.objects.create(name="paused", paused=True)
        make_worker("one", busy=3)
        make_worker("two", busy=0)
        found = scrape()
        assert found["renderowl_queue_ready", ("default",)] == 2
        assert 90 <= found["renderowl_queue_oldest_seconds", ("default",)] < 95
        assert found["renderowl_queue_ready", ("paused",)] == found["renderowl_queue_oldest_seconds", ("paused",)] == 0
        assert found["renderowl_queue_held", ("paused",)] == 1
        assert found["renderowl_queue_running", ("default",)] == 1
        assert found["renderowl_queue_scheduled", ("default",)] == found["renderowl_queue_blocked", ("default",)] == 1
        assert found["renderowl_workers_busy_ratio", ()] == 0.375
        assert found["renderowl_database_up", ()] == 1

    def test_jobs_and_deliveries(self) -> None:
        make_job(status="succeeded", type="core.delete_old_rows")
        make_job(status="succeeded", type="made.up")
        make_job(status="dead", type="made.up.too")
        make_job(status="succeeded", finished_at=timezone.now() - timedelta(minutes=6))
        make_delivery(status="failed")
        found = scrape()
        ended = {labels: value for (name, labels), value in found.items() if name == "renderowl_jobs_ended_5m"}
        assert ended == {
            ("succeeded", "core.delete_old_rows"): 1,
            ("succeeded", "(other)"): 1,
            ("dead", "(other)"): 1,
        }
        assert found["renderowl_jobs_dead", ()] == 1
        assert found["renderowl_webhook_deliveries_1h", ("failed",)] == 1

    def test_totals_add_statistics_and_new_events(self) -> None:
        alice = make_user()
        numbers = {"duration_ms": 8000, "work_ms": 2000, "credits": 150}
        AnalyticsEvent.objects.create(user=alice, type="render.succeeded", **numbers)
        AnalyticsEvent.objects.create(user=alice, type="render.succeeded", counted=True, **numbers)
        AnalyticsEvent.objects.create(user=alice, type="render.started", waited_ms=500)
        DailyStat.objects.create(user=alice, start=timezone.now(), type="render.succeeded", count=10, duration_ms=80000)
        DailyStat.objects.create(user=alice, start=timezone.now(), type="render.failed", count=2)
        found = queries.totals()
        assert found.renders == {"submitted": 0, "succeeded": 11, "failed": 2, "cancelled": 0}
        assert (found.output_s, found.work_s, found.waited_s, found.credits) == (88.0, 2.0, 0.5, 1.5)
        assert scrape()["renderowl_renders_total", ("succeeded",)] == 11

    def test_the_database_is_read_once_in_five_seconds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        moment = [100.0]
        subject = RenderowlCollector(lambda: moment[0])
        reads: list[int] = []
        monkeypatch.setattr(collector, "_database_metrics", lambda: reads.append(1) or [])
        for moment[0], expected in ((100.0, 1), (104.9, 1), (105.0, 2)):
            list(subject.collect())
            assert len(reads) == expected


def test_reports_an_unavailable_database(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(now: object) -> None:
        raise OperationalError

    monkeypatch.setattr(collector, "read_queues", fail)
    monkeypatch.setattr(collector.runner, "results", lambda names: [])
    found = scrape()
    assert found == {("renderowl_database_up", ()): 0}


@pytest.mark.django_db
class TestScaling:
    def test_permissions(self) -> None:
        check_access(
            Access("internal-scaling", {"GET": "admin:*"}, kwargs={"queue": "default"}, sessions=True),
            owner=make_user(is_staff=True),
        )

    def test_a_scaler_authenticates_with_the_token(self, api: APIClient, settings: Any) -> None:
        settings.RENDEROWL_METRICS_TOKEN = TOKEN
        make_job(scheduled_at=timezone.now() - timedelta(seconds=30))
        make_worker("one", busy=1)
        response = api.get("/internal/scaling/default", HTTP_AUTHORIZATION=f"Bearer {TOKEN}")
        assert response.status_code == 200
        body = response.json()
        assert 30 <= body.pop("oldest_seconds") < 35
        assert body == {
            "queue": "default",
            "ready": 1,
            "held": 0,
            "running": 0,
            "scheduled": 0,
            "blocked": 0,
            "slots": 4,
            "busy_slots": 1,
            "busy_ratio": 0.25,
        }
        assert_problem(api.get("/internal/scaling/nothing", HTTP_AUTHORIZATION=f"Bearer {TOKEN}"), 404, "not_found")
        assert api.get("/internal/jobs", HTTP_AUTHORIZATION=f"Bearer {TOKEN}").status_code == 401

    @pytest.mark.usefixtures("rate_limits")
    def test_a_scaler_is_not_rate_limited(self, api: APIClient, settings: Any) -> None:
        settings.RENDEROWL_METRICS_TOKEN = TOKEN
        for _ in range(3):
            response = api.get("/internal/scaling/default", HTTP_AUTHORIZATION=f"Bearer {TOKEN}")
            assert (response.status_code, "RateLimit" in response) == (200, False)
