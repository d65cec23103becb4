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
# Of whom there are few rows, so that no plan is cheaper than the index that finds them. A list of the 50 newest rows of
# a project that has a twentieth of all is as quickly made by the index of the times.
RARE = uuid7()


@pytest.fixture
def user():
    """One of twenty; 2,000 events of sixty days, of which 5 are of one project and 20 are not counted yet."""
    dice = random.Random(1)
    users = [make_user().pk for _ in range(20)]
    aggregate_events()
    events = [random_event(dice, users, PROJECTS, days=60) for _ in range(1980)]
    for event in events[:5]:
        event.project_id = RARE
    AnalyticsEvent.objects.bulk_create(events)
    aggregate_events(limit=5000)
    AnalyticsEvent.objects.bulk_create([random_event(dice, users, PROJECTS, days=60) for _ in range(20)])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return users[0]


def plan_of(rows) -> str:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # A table of a few rows would always be read as a whole.
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")
    return rows.explain()


def plan_of_answer(monkeypatch, interval: str, days: int, scope: StatScope) -> str:
    """The plan of the statement that an endpoint sends."""
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


def test_recount_of_an_hour_and_retention(user) -> None:
    hour = AnalyticsEvent.objects.filter(created_at__gte=NOON - timedelta(hours=1), created_at__lt=NOON, counted=True)
    groups = hour.order_by().values("user_id", "type").annotate(total=Sum("credits"))
    assert "idx_analytics_events_time_user" in plan_of(groups)
    old = AnalyticsEvent.objects.filter(created_at__lt=NOON - timedelta(days=58), counted=True).order_by("created_at")
    assert "idx_analytics_events_time_user" in plan_of(old.values_list("pk")[:100])


def test_newest_events_of_the_admin(user) -> None:
    plan = plan_of(AnalyticsEvent.objects.order_by("-created_at")[:50])
    assert "idx_analytics_events_time_user" in plan
    assert "TEMP B-TREE" not in plan


def test_newest_events_of_one_type(user) -> None:
    rows = AnalyticsEvent.objects.filter(type="render.failed").order_by("-created_at")[:50]
    assert "idx_analytics_events_type_time" in plan_of(rows)


def test_the_batch_to_count_next(user) -> None:
    rows = AnalyticsEvent.objects.uncounted().order_by("user_id", "created_at")[:2000]
    assert "idx_analytics_events_uncounted" in plan_of(rows)


def test_answers_by_the_hour(user, monkeypatch) -> None:
    for scope in (StatScope(user), StatScope(user, PROJECTS[0])):
        assert_reads_rollups_by_key(plan_of_answer(monkeypatch, "hour", 2, scope))
        assert_reads_rollups_by_key(plan_of_answer(monkeypatch, "day", 20, scope))


def test_charts_of_all_accounts(user, monkeypatch) -> None:
    assert_reads_rollups_by_key(plan_of_answer(monkeypatch, "hour", 2, StatScope()))
    assert_reads_rollups_by_key(plan_of_answer(monkeypatch, "day", 20, StatScope()))


def test_the_busiest_accounts(user) -> None:
    days, *_ = usage_queries(covering_range("day", NOON - timedelta(days=10), NOON))
    assert "idx_analytics_rollup_busiest" in plan_of(days)
    months, *_ = usage_queries(covering_range("day", NOON - timedelta(days=70), NOON))
    plan = plan_of(months)
    assert "uniq_analytics_monthly_key" in plan or "sqlite_autoindex_analytics_monthlyusage" in plan


def test_lists_of_one_account_or_project(user) -> None:
    days = DailyStat.objects.filter(start__gte=NOON - timedelta(days=2))
    assert "idx_analytics_daily_user_date" in plan_of(days.filter(user_id=user).order_by("-start"))
    assert "idx_analytics_daily_project_date" in plan_of(days.filter(project_id=RARE).order_by("-start"))
    hours = HourlyStat.objects.filter(project_id=RARE).order_by("-start")
    assert hours.count() == 5
    assert "idx_analytics_hourly_project" in plan_of(hours[:50])


def test_what_a_recount_replaces(user) -> None:
    stale = StatRollup.objects.filter(interval__in=INTERVALS, start__gte=NOON, start__lt=NOON + timedelta(days=1))
    assert "idx_analytics_rollup_time" in plan_of(stale)


def test_hours_past_their_retention(user) -> None:
    rollups = StatRollup.objects.filter(interval="hour", start__lt=NOON - timedelta(days=58)).order_by("start")
    assert "idx_analytics_rollup_time" in plan_of(rollups.values_list("pk")[:100])
    rows = HourlyStat.objects.filter(start__lt=NOON - timedelta(days=58)).order_by("start").values_list("pk")[:100]
    assert "idx_analytics_hourly_time" in plan_of(rows)
