"""Aggregation counts each event exactly once: random, late and repeated runs; rebuild and retention."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from analytics import services
from analytics.exceptions import EventsPurged
from analytics.models import (
    NO_PROJECT,
    AnalyticsEvent,
    AnalyticsEventType,
    DailyStat,
    HourlyStat,
    RetentionWatermark,
    StatRollup,
)
from core.append_only import AppendOnlyError
from core.ids import uuid7
from core.retention import retentions
from tests.analytics.helpers import NOON, random_event, recount, recount_of_rollups, rollups, stats
from tests.factories import make_user

pytestmark = pytest.mark.django_db
ROLLUP_COLUMNS = [field.attname for field in StatRollup._meta.concrete_fields if field.attname != "created_at"]


@pytest.fixture
def user_ids():
    """The ids of three users with 2,000 random events in three days."""
    rng = random.Random(7)
    users = [make_user().pk for _ in range(3)]
    AnalyticsEvent.objects.all()._raw_delete("default")
    projects = [uuid7() for _ in range(2)]
    AnalyticsEvent.objects.bulk_create([random_event(rng, users, projects) for _ in range(2000)])
    return users


def count_all(limit: int = 300) -> int:
    counted = 0
    while batch := services.aggregate_events(limit=limit):
        counted += batch
    return counted


def test_stats_equal_a_recount_of_the_events(user_ids) -> None:
    assert count_all() == 2000
    assert stats("hour") == recount("hour")
    assert stats("day") == recount("day")
    assert not AnalyticsEvent.objects.uncounted().exists()


def test_rollups_equal_a_recount_of_the_events(user_ids) -> None:
    assert count_all() == 2000
    for step in ("hour", "day"):
        assert rollups(step) == recount_of_rollups(step)


def test_counting_again_changes_nothing(user_ids) -> None:
    count_all()
    before = stats("day")
    assert services.aggregate_events() == 0
    assert stats("day") == before


def test_a_late_event_is_added_to_the_day_it_happened(user_ids) -> None:
    count_all()
    late = services.record_event(
        type=AnalyticsEventType.RENDER_SUCCEEDED, user_id=user_ids[0], at=NOON - timedelta(days=200), duration_ms=1500
    )
    assert late.created_at < NOON - timedelta(days=199)
    assert count_all() == 1
    row = DailyStat.objects.get(start__lt=NOON - timedelta(days=100))
    assert (row.start, row.count, row.duration_ms, row.project_id) == (
        datetime(2026, 5, 4, tzinfo=NOON.tzinfo),
        1,
        1500,
        NO_PROJECT,
    )
    assert stats("hour") == recount("hour")
    assert rollups("hour") == recount_of_rollups("hour")
    assert rollups("day") == recount_of_rollups("day")


def test_a_rolled_back_batch_changes_nothing(user_ids, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("analytics.services.aggregation.group_by_day", fail)
        with pytest.raises(ZeroDivisionError):
            services.aggregate_events()
    assert not HourlyStat.objects.exists()
    assert not StatRollup.objects.exists()
    assert count_all() == 2000
    assert stats("hour") == recount("hour")


def test_rebuild_produces_the_same_stats(user_ids, capsys) -> None:
    count_all()
    before = stats("hour"), stats("day"), rollups("hour"), rollups("day")
    DailyStat.objects.update(count=99)
    HourlyStat.objects.filter(type="asset.ready")._raw_delete("default")
    StatRollup.objects.filter(user=None)._raw_delete("default")
    StatRollup.objects.update(waits="{}", aggregates="{}")
    call_command("rebuild_analytics")
    assert (stats("hour"), stats("day"), rollups("hour"), rollups("day")) == before
    assert "2000 events of" in capsys.readouterr().out


def test_rebuild_includes_uncounted_events(user_ids) -> None:
    services.aggregate_events(limit=700)
    call_command("rebuild_analytics", verbosity=0)
    assert stats("hour") == recount("hour")
    assert stats("day") == recount("day")
    assert rollups("hour") == recount_of_rollups("hour")
    assert count_all() == 0


def test_rebuild_since_a_day_keeps_earlier_days(user_ids) -> None:
    count_all()
    DailyStat.objects.update(count=99)
    call_command("rebuild_analytics", since="2026-11-19")
    counts = {(row.start.day, row.count == 99) for row in DailyStat.objects.all()}
    assert {day for day, is_old in counts if is_old} == {17, 18}
    assert {day for day, is_old in counts if not is_old} == {19, 20}


def test_rebuild_refuses_an_invalid_date() -> None:
    with pytest.raises(CommandError, match="not a date"):
        call_command("rebuild_analytics", since="yesterday")
    call_command("rebuild_analytics")


def test_retention_deletes_hours_but_keeps_days(user_ids, settings) -> None:
    count_all()
    before = stats("day")
    settings.RENDEROWL_ANALYTICS_HOURLY_DAYS = (timezone.now() - NOON).days + 1
    deleted = 0
    while batch := retentions["analytics hours"].delete_batch(timezone.now(), limit=50):
        deleted += batch
    assert deleted > 50
    cutoff = RetentionWatermark.objects.get(name="hourly").complete_since
    assert cutoff.hour == 0
    assert not HourlyStat.objects.filter(start__lt=cutoff).exists()
    assert HourlyStat.objects.exists()
    while retentions["analytics hourly rollups"].delete_batch(timezone.now(), limit=50):
        pass
    hours = StatRollup.objects.filter(interval="hour")
    assert not hours.filter(start__lt=cutoff).exists()
    assert hours.exists()
    assert stats("day") == before
    assert rollups("day") == recount_of_rollups("day")


def test_retention_deletes_only_counted_events(user_ids, settings) -> None:
    settings.RENDEROWL_ANALYTICS_EVENT_DAYS = (timezone.now() - NOON).days + 1
    old_events = retentions["analytics events"]
    assert old_events.delete_batch(timezone.now()) == 0
    assert not RetentionWatermark.objects.filter(name="events").exists()
    count_all()
    days = stats("day")
    due = old_events.count(timezone.now())
    assert old_events.delete_batch(timezone.now(), limit=100) == 100
    assert old_events.count(timezone.now()) == due - 100
    while old_events.delete_batch(timezone.now()):
        pass
    cutoff = RetentionWatermark.objects.get(name="events").complete_since
    assert not AnalyticsEvent.objects.filter(created_at__lt=cutoff).exists()
    assert AnalyticsEvent.objects.exists()
    with pytest.raises(EventsPurged):
        list(services.rebuild_range(since=cutoff - timedelta(days=1)))
    call_command("rebuild_analytics", verbosity=0)
    assert stats("day") == days


def test_events_cannot_be_changed_or_deleted() -> None:
    event = services.record_event(type=AnalyticsEventType.RENDER_SUBMITTED, user_id=make_user().pk)
    with pytest.raises(AppendOnlyError):
        event.save()
    with pytest.raises(AppendOnlyError):
        event.delete()
