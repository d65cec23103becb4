"""Time ranges of hourly or daily buckets in UTC, and their query parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from django.utils.dateparse import parse_date, parse_datetime

from core.exceptions import InvalidParameter

MAX_BUCKETS = 1000
STEPS = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
_DAY = STEPS["day"]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Whole hours or days from `since` (inclusive) to `until` (exclusive)."""

    interval: str
    since: datetime
    until: datetime

    @property
    def step(self) -> timedelta:
        """Return the length of one bucket."""
        return STEPS[self.interval]

    def starts(self) -> list[datetime]:
        """Return the start of every bucket."""
        return [self.since + number * self.step for number in range((self.until - self.since) // self.step)]

    def bucket_of(self, moment: datetime) -> datetime:
        """Return the start of the bucket that contains a moment."""
        return floor_to_step(moment, self.step)


def floor_to_step(moment: datetime, step: timedelta) -> datetime:
    """Round a moment down to the start of a bucket."""
    return moment - (moment - _EPOCH) % step


def ceil_to_step(moment: datetime, step: timedelta) -> datetime:
    """Round a moment up to the start of a bucket."""
    return moment + (_EPOCH - moment) % step


def start_of_month(moment: datetime) -> datetime:
    """Return the start of the month."""
    return moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def start_of_next_month(month: datetime) -> datetime:
    """Return the start of the following month. month: the start of a month."""
    return start_of_month(month + timedelta(days=31))


def split_by_interval(time_range: TimeRange) -> list[tuple[str, datetime, datetime]]:
    """Split a time range into whole months, with days and hours only at the edges, to read as few rows as possible.

    Returns pieces of (interval, start, end), in no particular order.
    """
    if time_range.interval == "hour":
        return _with_edges(
            time_range.since,
            time_range.until,
            ceil_to_step(time_range.since, _DAY),
            floor_to_step(time_range.until, _DAY),
            "hour",
            _in_months,
        )
    return _in_months(time_range.since, time_range.until)


def _in_months(since: datetime, until: datetime) -> list[tuple[str, datetime, datetime]]:
    first = since if since == start_of_month(since) else start_of_next_month(start_of_month(since))
    return _with_edges(since, until, first, start_of_month(until), "day", lambda start, end: [("month", start, end)])


def _with_edges(
    since: datetime,
    until: datetime,
    first: datetime,
    last: datetime,
    step: str,
    inner: Callable[[datetime, datetime], list[tuple[str, datetime, datetime]]],
) -> list[tuple[str, datetime, datetime]]:
    """Return the inner pieces from `first` to `last`, and pieces of `step` before and after them."""
    if first >= last:
        return [(step, since, until)]
    edges = [(step, start, end) for start, end in ((since, first), (last, until)) if start < end]
    return [*inner(first, last), *edges]


def covering_range(interval: str, since: datetime, until: datetime) -> TimeRange:
    """Return the smallest range of whole buckets that contains `since` to `until`."""
    step = STEPS[interval]
    return TimeRange(interval, floor_to_step(since, step), ceil_to_step(until, step))


def parse_time_range(parameters: Mapping[str, str], now: datetime, hours_since: datetime | None) -> TimeRange:
    """Parse the query parameters `interval`, `since` and `until`; the default is the last 24 hours by hour.

    hours_since: the time since which hourly stats are complete, None for no limit.
    Raises InvalidParameter.
    """
    interval = parameters.get("interval", "hour")
    if interval not in STEPS:
        raise InvalidParameter("interval", "interval must be hour or day.")
    until = _read_time("until", parameters["until"]) if "until" in parameters else now
    try:
        since = _read_time("since", parameters["since"]) if "since" in parameters else until - timedelta(days=1)
        time_range = covering_range(interval, since, until)
    except OverflowError:
        raise InvalidParameter("until", "until is out of range.") from None
    if since >= until:
        raise InvalidParameter("since" if "since" in parameters else "until", "since must be before until.")
    if (time_range.until - time_range.since) // time_range.step > MAX_BUCKETS:
        detail = f"At most {MAX_BUCKETS} buckets are allowed: use a shorter time range, or interval=day."
        raise InvalidParameter("since", detail)
    if interval == "hour" and hours_since is not None and time_range.since < hours_since:
        raise InvalidParameter("since", f"Hourly stats start on {hours_since:%Y-%m-%d}; use interval=day.")
    return time_range


def _read_time(name: str, text: str) -> datetime:
    try:
        moment = parse_datetime(text)
        if moment is None and (day := parse_date(text)) is not None:
            moment = datetime.combine(day, time())
        if moment is not None:
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise InvalidParameter(name, f"{name} must be an ISO 8601 time such as 2026-11-01T00:00:00Z.")
