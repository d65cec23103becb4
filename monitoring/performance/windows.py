"""Spans of time that rows can answer for: to the minute for hours, coarser the longer ago."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MINUTE_S, TEN_MINUTES_S, HOUR_S = 60, 600, 3600
# How long rows of a span are kept before they are merged into the next one.
RESOLUTION_KEPT_FOR = {MINUTE_S: timedelta(hours=3), TEN_MINUTES_S: timedelta(days=3)}
NEXT_RESOLUTION = {MINUTE_S: TEN_MINUTES_S, TEN_MINUTES_S: HOUR_S}
WEEK = timedelta(days=7)
MIN_WINDOW_S, MAX_WINDOW_S, DEFAULT_WINDOW_S = 60, 30 * 24 * 3600, 3600


@dataclass(frozen=True, slots=True)
class Window:
    """From `start`, included, to `end`."""

    start: datetime
    end: datetime

    @property
    def minutes(self) -> float:
        """Return its length."""
        return (self.end - self.start).total_seconds() / 60


def moment_of(seconds: float) -> datetime:
    """Return a Unix time as a moment."""
    return datetime.fromtimestamp(seconds, UTC)


def resolution_at(moment: datetime, now: datetime) -> int:
    """Return how many seconds rows of this time may be merged into by now."""
    age = now - moment
    if age <= RESOLUTION_KEPT_FOR[MINUTE_S]:
        return MINUTE_S
    return TEN_MINUTES_S if age <= RESOLUTION_KEPT_FOR[TEN_MINUTES_S] else HOUR_S


def floor_to(moment: datetime, resolution_s: int) -> datetime:
    """Return the beginning of the span that a moment falls into."""
    seconds = int(moment.timestamp())
    return moment_of(seconds - seconds % resolution_s)


def window_before(end: datetime, length_s: float, now: datetime) -> Window:
    """Return the window that ends here and is at least so long, beginning where rows begin."""
    start = end - timedelta(seconds=length_s)
    return Window(floor_to(start, resolution_at(start, now)), end)


def week_before(window: Window, now: datetime) -> Window:
    """Return the same window a week earlier, widened to where rows begin and end."""
    start, end = window.start - WEEK, window.end - WEEK
    resolution_s = resolution_at(start, now)
    floor = floor_to(end, resolution_s)
    return Window(floor_to(start, resolution_s), floor if floor == end else floor + timedelta(seconds=resolution_s))
