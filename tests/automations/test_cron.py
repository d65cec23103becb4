"""Occurrences at month ends, in leap years and at DST changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from automations.cron import check_schedule, is_zone, latest_occurrence, next_occurrence


def occurrences(expression, zone, start, count) -> list[str]:
    found, moment = [], datetime.fromisoformat(start).replace(tzinfo=UTC)
    for _ in range(count):
        moment = next_occurrence(expression, zone, moment)
        found.append(moment.strftime("%Y-%m-%dT%H:%M"))
    return found


@pytest.mark.parametrize(
    ("expression", "zone", "start", "expected"),
    [
        # Only seven months have a 31st.
        ("0 0 31 * *", "UTC", "2027-01-31T00:00", ["2027-03-31T00:00", "2027-05-31T00:00", "2027-07-31T00:00"]),
        ("0 0 29 2 *", "UTC", "2027-01-01T00:00", ["2028-02-29T00:00", "2032-02-29T00:00"]),
        ("0 12 L * *", "UTC", "2027-02-01T00:00", ["2027-02-28T12:00", "2027-03-31T12:00", "2027-04-30T12:00"]),
        ("59 23 31 12 *", "UTC", "2026-12-31T23:59", ["2027-12-31T23:59"]),
        # 9 o'clock in Berlin is 8 in UTC in winter and 7 in summer.
        ("0 9 * * *", "Europe/Berlin", "2027-03-26T12:00", ["2027-03-27T08:00", "2027-03-28T07:00"]),
        # On 28 March 2027 02:30 does not exist in Berlin: it runs once, immediately after the gap.
        ("30 2 * * *", "Europe/Berlin", "2027-03-27T12:00", ["2027-03-28T01:00", "2027-03-29T00:30"]),
        # On 31 October 2027 02:30 occurs twice in Berlin: it runs once.
        ("30 2 * * *", "Europe/Berlin", "2027-10-30T12:00", ["2027-10-31T00:30", "2027-11-01T01:30"]),
        # An hourly schedule follows elapsed time.
        ("0 * * * *", "Europe/Berlin", "2027-03-28T00:00", ["2027-03-28T01:00", "2027-03-28T02:00"]),
        (
            "0 * * * *",
            "Europe/Berlin",
            "2027-10-30T23:30",
            ["2027-10-31T00:00", "2027-10-31T01:00", "2027-10-31T02:00"],
        ),
        ("*/30 * * * *", "America/New_York", "2027-11-07T05:00", ["2027-11-07T05:30", "2027-11-07T06:00"]),
        # India's offset has half an hour; midnight on the Chatham Islands is 10:15 in UTC.
        ("0 9 * * *", "Asia/Kolkata", "2027-01-01T00:00", ["2027-01-01T03:30"]),
        ("0 0 1 1 *", "Pacific/Chatham", "2026-06-01T00:00", ["2026-12-31T10:15"]),
        ("0 9 * * MON-FRI", "UTC", "2026-11-27T10:00", ["2026-11-30T09:00"]),
        # Day of the month or day of the week, as in any cron when both are set.
        ("0 0 13 * 5", "UTC", "2026-11-14T00:00", ["2026-11-20T00:00", "2026-11-27T00:00"]),
    ],
)
def test_occurrences(expression, zone, start, expected) -> None:
    assert occurrences(expression, zone, start, len(expected)) == expected


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"])
def test_a_daily_schedule_has_one_occurrence_on_each_day_of_two_years(zone) -> None:
    moment, days = datetime(2027, 1, 1, tzinfo=UTC), set()
    for _ in range(730):
        moment = next_occurrence("15 2 * * *", zone, moment)
        day = moment.astimezone(ZoneInfo(zone)).date()
        assert day not in days
        days.add(day)
    assert len(days) == 730
    assert max(days) - min(days) == timedelta(days=729)


def test_finds_the_latest_missed_occurrence() -> None:
    first = datetime(2026, 11, 20, 9, tzinfo=UTC)
    for now, expected in (
        (datetime(2026, 11, 20, 9, 0, 0, 500, tzinfo=UTC), first),
        (datetime(2026, 11, 20, 9, tzinfo=UTC), first),
        (datetime(2026, 11, 21, 8, 59, 59, tzinfo=UTC), first),
        (datetime(2026, 11, 23, 9, tzinfo=UTC), datetime(2026, 11, 23, 9, tzinfo=UTC)),
        (datetime(2026, 11, 23, 9, 0, 1, tzinfo=UTC), datetime(2026, 11, 23, 9, tzinfo=UTC)),
        (datetime(2026, 11, 23, 8, 0, 1, tzinfo=UTC), datetime(2026, 11, 22, 9, tzinfo=UTC)),
    ):
        assert latest_occurrence("0 9 * * *", "UTC", first, now) == expected
    berlin = datetime(2027, 3, 28, 1, tzinfo=UTC)
    assert latest_occurrence("30 2 * * *", "Europe/Berlin", berlin, berlin + timedelta(hours=3)) == berlin


@pytest.mark.parametrize(
    "expression",
    ["", "* * * *", "* * * * * *", "@daily", "60 * * * *", "* 24 * * *", "* * 0 * *", "0 0 31 2 *", "a b c d e",
     "*/0 * * * *", "5-1 * * * *", "1,,2 * * * *", "-1 * * * *", "* * * * 8", "1" * 5000, "0 0 * * " + "1," * 60 + "1"],
)  # fmt: skip
def test_refuses_invalid_expressions(expression) -> None:
    with pytest.raises(ValueError, match=r"fields|cron"):
        check_schedule(expression)


@pytest.mark.parametrize("name", ["Europe", "../../etc/passwd", "europe/berlin ", "", "Mars/Base", "/etc/localtime"])
def test_refuses_unknown_time_zones(name) -> None:
    assert not is_zone(name)
    assert is_zone("Europe/Berlin")
