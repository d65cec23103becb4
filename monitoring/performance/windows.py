"""Time windows aligned to the resolution of rows, which is coarser for older times."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MINUTE_S, TEN_MINUTES_S, HOUR_S = 60, 600, 3600
# How long rows of a resolution are kept before they are merged into the next one.
RESOLUTION_RETENTION = {MINUTE_S: timedelta(hours=3), TEN_MINUTES_S: timedelta(days=3)}
NEXT_RESOLUTION = {MINUTE_S: TEN_MINUTES_S, TEN_MINUTES_S: HOUR_S}
WEEK = timedelta(days=7)
MIN_WINDOW_S, MAX_WINDOW_S, DEFAULT_WINDOW_S = 60, 30 * 24 * 3600, 3600


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open time window: `start` is included, `end` is not."""

    start: datetime
    end: datetime

    @property
    def minutes(self) -> float:
        """Return the length in minutes."""
        return (self.end - self.start).total_seconds() / 60


def moment_of(seconds: float) -> datetime:
    """Convert a Unix time to an aware datetime in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def resolution_at(moment: datetime, now: datetime) -> int:
    """Return the coarsest resolution that rows of this time may have by now, in seconds."""
    age = now - moment
    if age <= RESOLUTION_RETENTION[MINUTE_S]:
        return MINUTE_S
    return TEN_MINUTES_S if age <= RESOLUTION_RETENTION[TEN_MINUTES_S] else HOUR_S


def floor_to(moment: datetime, resolution_s: int) -> datetime:
    """Round a time down to a multiple of the resolution."""
    seconds = int(moment.timestamp())
    return moment_of(seconds - seconds % resolution_s)


def window_before(end: datetime, length_s: float, now: datetime) -> Window:
    """Return a window of at least this length that ends here and starts where rows start."""
    start = end - timedelta(seconds=length_s)
    return Window(floor_to(start, resolution_at(start, now)), end)


def week_before(window: Window, now: datetime) -> Window:
    """Return the same window a week earlier, widened to where rows start and end."""
    start, end = window.start - WEEK, window.end - WEEK
    resolution_s = resolution_at(start, now)
    floor = floor_to(end, resolution_s)
    return Window(floor_to(start, resolution_s), floor if floor == end else floor + timedelta(seconds=resolution_s))
