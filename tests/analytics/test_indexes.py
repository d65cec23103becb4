"""Each index serves the query that its comment names, on the database in use."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import Sum

from analytics.models import INTERVALS, AnalyticsEvent, DailyStat, HourlyStat, StatRollup
from analytics.selectors import StatScope, read_stats, usage_queries
from analytics.services import aggregate_events
from analytics.time_ranges import covering_range
from core.ids import uuid7
from tests.analytics.helpers import NOON, random_event
from tests.factories import make_user

pytestmark = pytest.mark.django_db
PROJECTS = [uuid7() for _ in range(20)]
# A project with few rows, so that its index is the cheapest plan. Of a project with a twentieth of all rows, the newest
# 50 are found as quickly by the index on the time.
RARE = uuid7()


@pytest.fixture
def user():
    """The id of one of 20 users with 2,000 events in 60 days: 5 of the project RARE, 20 uncounted."""
    rng = random.Random(1)
    users = [make_user().pk for _ in range(20)]
    aggregate_events()
    events = [random_event(rng, users, PROJECTS, days=60) for _ in range(1980)]
    for event in events[:5]:
        event.project_id = RARE
    AnalyticsEvent.objects.bulk_create(events)
    aggregate_events(limit=5000)
    AnalyticsEvent.objects.bulk_create([random_event(rng, users, PROJECTS, days=60) for _ in range(20)])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return users[0]


def plan_of(rows) -> str:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # A small table would always be read by a sequential scan.
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")
    return rows.explain()


def plan_of_read(monkeypatch, interval: str, days: int, scope: StatScope) -> str:
    """Return the plan of the statement that an endpoint executes."""
    plans = []
    monkeypatch.setattr("analytics.selectors._read", lambda branches: plans.append(_explain(branches)) or iter(()))
    time_range = covering_range(interval, NOON - timedelta(days=days), NOON)
    read_stats(time_range, scope, ["render.succeeded", "render.failed"], with_storage=True)
    return plans[0]


def _explain(branches) -> str:
    return "\n".join(plan_of(branch) for branch in branches)


def assert_reads_rollups_by_key(plan: str) -> None:
    assert "uniq_analytics_rollup_key" in plan or "sqlite_autoindex_analytics_statrollup" in plan
    assert "idx_analytics_events_uncounted" in plan
    for other in (
        "hourlystat",
        "dailystat",
        "Seq Scan on analytics",
        "SCAN analytics_statrollup",
        "idx_analytics_events_t",
    ):
        assert other not in plan


def test_rebuild_of_an_hour_and_retention_use_the_time_index(user) -> None:
    hour = AnalyticsEvent.objects.filter(created_at__gte=NOON - timedelta(hours=1), created_at__lt=NOON, counted=True)
    groups = hour.order_by().values("user_id", "type").annotate(total=Sum("credits"))
    assert "idx_analytics_events_time_user" in plan_of(groups)
    old = AnalyticsEvent.objects.filter(created_at__lt=NOON - timedelta(days=58), counted=True).order_by("created_at")
    assert "idx_analytics_events_time_user" in plan_of(old.values_list("pk")[:100])


def test_admin_list_of_newest_events_uses_the_time_index(user) -> None:
    plan = plan_of(AnalyticsEvent.objects.order_by("-created_at")[:50])
    assert "idx_analytics_events_time_user" in plan
    assert "TEMP B-TREE" not in plan


def test_newest_events_of_one_type_use_the_type_index(user) -> None:
    rows = AnalyticsEvent.objects.filter(type="render.failed").order_by("-created_at")[:50]
    assert "idx_analytics_events_type_time" in plan_of(rows)


def test_next_aggregation_batch_uses_the_partial_index(user) -> None:
    rows = AnalyticsEvent.objects.uncounted().order_by("user_id", "created_at")[:2000]
    assert "idx_analytics_events_uncounted" in plan_of(rows)


def test_reads_of_an_account_or_project_use_rollup_keys(user, monkeypatch) -> None:
    for scope in (StatScope(user), StatScope(user, PROJECTS[0])):
        assert_reads_rollups_by_key(plan_of_read(monkeypatch, "hour", 2, scope))
        assert_reads_rollups_by_key(plan_of_read(monkeypatch, "day", 20, scope))


def test_charts_of_all_accounts_use_rollup_keys(user, monkeypatch) -> None:
    assert_reads_rollups_by_key(plan_of_read(monkeypatch, "hour", 2, StatScope()))
    assert_reads_rollups_by_key(plan_of_read(monkeypatch, "day", 20, StatScope()))


def test_top_users_use_the_covering_index_and_months(user) -> None:
    days, *_ = usage_queries(covering_range("day", NOON - timedelta(days=10), NOON))
    assert "idx_analytics_rollup_busiest" in plan_of(days)
    months, *_ = usage_queries(covering_range("day", NOON - timedelta(days=70), NOON))
    plan = plan_of(months)
    assert "uniq_analytics_monthly_key" in plan or "sqlite_autoindex_analytics_monthlyusage" in plan


def test_lists_of_one_account_or_project_use_their_indexes(user) -> None:
    days = DailyStat.objects.filter(start__gte=NOON - timedelta(days=2))
    assert "idx_analytics_daily_user_date" in plan_of(days.filter(user_id=user).order_by("-start"))
    assert "idx_analytics_daily_project_date" in plan_of(days.filter(project_id=RARE).order_by("-start"))
    hours = HourlyStat.objects.filter(project_id=RARE).order_by("-start")
    assert hours.count() == 5
    assert "idx_analytics_hourly_project" in plan_of(hours[:50])


def test_rows_replaced_by_a_rebuild_use_the_time_index(user) -> None:
    stale = StatRollup.objects.filter(interval__in=INTERVALS, start__gte=NOON, start__lt=NOON + timedelta(days=1))
    assert "idx_analytics_rollup_time" in plan_of(stale)


def test_retention_of_hours_uses_the_time_indexes(user) -> None:
    rollups = StatRollup.objects.filter(interval="hour", start__lt=NOON - timedelta(days=58)).order_by("start")
    assert "idx_analytics_rollup_time" in plan_of(rollups.values_list("pk")[:100])
    rows = HourlyStat.objects.filter(start__lt=NOON - timedelta(days=58)).order_by("start").values_list("pk")[:100]
    assert "idx_analytics_hourly_time" in plan_of(rows)
