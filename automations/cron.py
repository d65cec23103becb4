"""Occurrences of cron expressions in a time zone.

At DST changes, as in Debian's cron, a job at a fixed time runs once that day, immediately after a gap; a job that runs
hourly or more often follows elapsed time.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from cronsim import CronSim, CronSimError

MAX_EXPRESSION_LENGTH = 100
FIELDS = 5
_SECOND = timedelta(seconds=1)


def check_schedule(expression: str) -> None:
    """Raise ValueError, with a message for the client, unless the expression has five fields and an occurrence."""
    if len(expression) > MAX_EXPRESSION_LENGTH or len(expression.split()) != FIELDS:
        raise ValueError("A cron expression has five fields: minute, hour, day of the month, month, day of the week.")
    try:
        next(CronSim(expression, datetime(2026, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        raise ValueError(f"Invalid cron expression: {error}.") from error
    except StopIteration:
        raise ValueError("The cron expression has no occurrence.") from None


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def is_zone(name: str) -> bool:
    """Return whether the name is a known time zone."""
    return name in _zones()


class NoNextOccurrence(ValueError):
    """A schedule that was valid once has no next occurrence."""


def next_occurrence(expression: str, zone: str, after: datetime) -> datetime:
    """Return the first occurrence later than `after`, in UTC.

    Raises NoNextOccurrence if there is none, or if the time zone is no longer known.
    """
    return _occurrence(expression, zone, after, reverse=False)


def latest_occurrence(expression: str, zone: str, first: datetime, now: datetime) -> datetime:
    """Return the latest occurrence up to `now`, but at least `first`, which is an occurrence.

    Raises NoNextOccurrence.
    """
    # In reverse the library skips an occurrence in the current second.
    at_now = next_occurrence(expression, zone, now.replace(microsecond=0) - _SECOND)
    return max(first, at_now if at_now <= now else _occurrence(expression, zone, now, reverse=True))


def _occurrence(expression: str, zone: str, moment: datetime, *, reverse: bool) -> datetime:
    try:
        return next(CronSim(expression, moment.astimezone(ZoneInfo(zone)), reverse=reverse)).astimezone(UTC)
    except ZoneInfoNotFoundError as error:
        raise NoNextOccurrence(f"The time zone {zone} is no longer known.") from error
    except (CronSimError, StopIteration) as error:
        raise NoNextOccurrence("The schedule has no next occurrence.") from error
