"""Spans of time, cut into hours or days in UTC."""

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
class Span:
    """Whole hours or days from `since` up to `until`, which is not part of it."""

    interval: str
    since: datetime
    until: datetime

    @property
    def step(self) -> timedelta:
        """Return the length of a bucket."""
        return STEPS[self.interval]

    def starts(self) -> list[datetime]:
        """Return the beginning of every bucket."""
        return [self.since + number * self.step for number in range((self.until - self.since) // self.step)]

    def bucket_of(self, moment: datetime) -> datetime:
        """Return the beginning of the bucket that a moment lies in."""
        return floor(moment, self.step)


def floor(moment: datetime, step: timedelta) -> datetime:
    """Return the last beginning of a bucket up to a moment."""
    return moment - (moment - _EPOCH) % step


def ceiling(moment: datetime, step: timedelta) -> datetime:
    """Return the first beginning of a bucket from a moment on."""
    return moment + (_EPOCH - moment) % step


def month_of(moment: datetime) -> datetime:
    """Return the beginning of the month."""
    return moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def next_month(month: datetime) -> datetime:
    """Return the beginning of the month after the one that begins here."""
    return month_of(month + timedelta(days=31))


def pieces(span: Span) -> list[tuple[str, datetime, datetime]]:
    """Return the span in few buckets that make it up exactly: months, days beside them, hours beside these.

    Each piece is a kind of bucket, the beginning of the first and the end of the last.
    """
    if span.interval == "hour":
        return _around(span.since, span.until, ceiling(span.since, _DAY), floor(span.until, _DAY), "hour", _in_months)
    return _in_months(span.since, span.until)


def _in_months(since: datetime, until: datetime) -> list[tuple[str, datetime, datetime]]:
    first = since if since == month_of(since) else next_month(month_of(since))
    return _around(since, until, first, month_of(until), "day", lambda start, end: [("month", start, end)])


def _around(
    since: datetime,
    until: datetime,
    first: datetime,
    last: datetime,
    step: str,
    inner: Callable[[datetime, datetime], list[tuple[str, datetime, datetime]]],
) -> list[tuple[str, datetime, datetime]]:
    """Return what is inside from `first` to `last`, and buckets of `step` before and after it."""
    if first >= last:
        return [(step, since, until)]
    edges = [(step, start, end) for start, end in ((since, first), (last, until)) if start < end]
    return [*inner(first, last), *edges]


def cover(interval: str, since: datetime, until: datetime) -> Span:
    """Return the whole buckets that hold all from `since` to `until`."""
    step = STEPS[interval]
    return Span(interval, floor(since, step), ceiling(until, step))


def read_span(parameters: Mapping[str, str], now: datetime, hours_since: datetime | None) -> Span:
    """Return the span that a query asks for, by default the last 24 hours by the hour.

    hours_since: how far back the figures of hours go, None for all.
    Raises InvalidParameter.
    """
    interval = parameters.get("interval", "hour")
    if interval not in STEPS:
        raise InvalidParameter("interval", "interval is hour or day.")
    until = _read_time("until", parameters["until"]) if "until" in parameters else now
    try:
        since = _read_time("since", parameters["since"]) if "since" in parameters else until - timedelta(days=1)
        span = cover(interval, since, until)
    except OverflowError:
        raise InvalidParameter("until", "until is out of range.") from None
    if since >= until:
        raise InvalidParameter("since" if "since" in parameters else "until", "since is not before until.")
    if (span.until - span.since) // span.step > MAX_BUCKETS:
        detail = f"An answer has at most {MAX_BUCKETS} buckets: ask for a shorter span, or for days."
        raise InvalidParameter("since", detail)
    if interval == "hour" and hours_since is not None and span.since < hours_since:
        raise InvalidParameter("since", f"Hours are kept from {hours_since:%Y-%m-%d} on; ask for interval=day.")
    return span


def _read_time(name: str, text: str) -> datetime:
    try:
        moment = parse_datetime(text)
        if moment is None and (day := parse_date(text)) is not None:
            moment = datetime.combine(day, time())
        if moment is not None:
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise InvalidParameter(name, f"{name} is a time in ISO 8601, such as 2026-11-01T00:00:00Z.")
