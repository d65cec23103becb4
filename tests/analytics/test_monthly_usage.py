"""Monthly usage equals the sums of the days, and the top users of any time range equal those of the event log."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from django.db.models import Sum

from analytics.models import AnalyticsEvent, MonthlyUsage
from analytics.selectors import top_users
from analytics.services import aggregate_events, rebuild_day, rebuild_range
from analytics.services.stats import start_of_day
from analytics.time_ranges import TimeRange, covering_range, split_by_interval
from core.ids import uuid7
from tests.analytics.helpers import NOON, random_event
from tests.analytics.monthly_helpers import months, recount_of_months
from tests.factories import make_user

pytestmark = pytest.mark.django_db
DAYS = 100


@pytest.fixture
def users():
    """The ids of three users, the first with the most of 600 events in 100 days; half of the events arrive late."""
    rng = random.Random(5)
    users = [make_user(name).pk for name in ("ana", "bo", "cyd")]
    AnalyticsEvent.objects.all()._raw_delete("default")
    for _ in range(2):
        weighted = [*users[:1] * 4, *users[1:2] * 2, *users]
        events = [random_event(rng, weighted, [uuid7()], days=DAYS) for _ in range(300)]
        for event in events:
            event.credits = abs(event.credits)
        AnalyticsEvent.objects.bulk_create(events)
        while aggregate_events(limit=170):
            pass
    return users


def expected_top_users(time_range: TimeRange) -> list[tuple[str, int, int, int]]:
    events = AnalyticsEvent.objects.filter(
        type="render.succeeded", created_at__gte=time_range.since, created_at__lt=time_range.until
    )
    sums: dict[str, list[int]] = {}
    for event in events.select_related("user"):
        row = sums.setdefault(event.user.username, [0, 0, 0])
        row[:] = row[0] + 1, row[1] + event.work_ms, row[2] + event.credits
    return sorted(((name, *row) for name, row in sums.items()), key=lambda row: -row[3])


def test_months_equal_a_recount_of_the_events(users) -> None:
    assert months() == recount_of_months()
    assert (
        MonthlyUsage.objects.aggregate(n=Sum("renders"))["n"]
        == AnalyticsEvent.objects.filter(type="render.succeeded").count()
    )
    assert MonthlyUsage.objects.filter(start__gt=NOON - timedelta(days=DAYS + 31)).count() >= 9


@pytest.mark.parametrize(
    ("interval", "hours"), [("hour", 3), ("hour", 26), ("hour", 50), ("hour", 900), ("day", 240), ("day", 24 * DAYS)]
)
def test_top_users_of_a_time_range_equal_a_recount(users, interval, hours) -> None:
    time_range = covering_range(interval, NOON - timedelta(hours=hours, minutes=7), NOON)
    found = [(row.username, row.renders, row.work_ms, row.credits) for row in top_users(time_range)]
    assert found == expected_top_users(time_range)
    assert bool(found) or hours < 26
    assert top_users(time_range, limit=1) == top_users(time_range)[:1]


@pytest.mark.parametrize("seed", range(30))
def test_split_covers_the_time_range_without_overlap(seed) -> None:
    rng = random.Random(seed)
    interval = rng.choice(["hour", "day"])
    until = NOON - timedelta(hours=rng.randrange(2000))
    time_range = covering_range(interval, until - timedelta(hours=rng.choice([1, 30, 800, 8000])), until)
    found = sorted(split_by_interval(time_range), key=lambda piece: piece[1])
    assert [start for _, start, _ in found] == [time_range.since, *(end for _, _, end in found[:-1])]
    assert found[-1][2] == time_range.until
    for kind, start, end in found:
        assert start < end
        if kind == "month":
            assert (start.day, start.hour, end.day, end.hour) == (1, 0, 1, 0)
        elif kind == "day":
            assert end - start < timedelta(days=62)
            assert (start.hour, end.hour) == (0, 0)
        else:
            assert interval == "hour"
            assert end - start < timedelta(hours=48)


def test_rebuild_replaces_the_months(users) -> None:
    before = months()
    day = start_of_day(NOON - timedelta(days=40))
    deleted = AnalyticsEvent.objects.filter(
        created_at__gte=day, created_at__lt=day + timedelta(days=1), type="render.succeeded"
    )
    assert deleted.exists()
    deleted._raw_delete("default")
    rebuild_day(day=day)
    assert months() == recount_of_months() != before
    MonthlyUsage.objects.update(renders=0)
    assert sum(events for _, events in rebuild_range()) == AnalyticsEvent.objects.count()
    assert months() == recount_of_months()
