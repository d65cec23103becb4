"""Occurrences of cron expressions in a time zone.

Where clocks are put forward or back, what runs at a set time runs once that day, at once after a gap; what runs every
hour or every few minutes follows the time that really passes. As Debian's cron does.
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
    """Raise ValueError, with a sentence for the client, unless the expression has five fields and comes due."""
    if len(expression) > MAX_EXPRESSION_LENGTH or len(expression.split()) != FIELDS:
        raise ValueError("A schedule has five fields: minute, hour, day of the month, month, day of the week.")
    try:
        next(CronSim(expression, datetime(2026, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        raise ValueError(f"This is no cron expression: {error}.") from error
    except StopIteration:
        raise ValueError("This never comes due.") from None


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def is_zone(name: str) -> bool:
    """Return whether there is such a time zone."""
    return name in _zones()


class NoNextOccurrence(ValueError):
    """A schedule that was good once comes due no more."""


def next_occurrence(expression: str, zone: str, after: datetime) -> datetime:
    """Return the first occurrence later than `after`, in UTC.

    Raises NoNextOccurrence where there is none, or where the time zone is known no more.
    """
    return _occurrence(expression, zone, after, reverse=False)


def latest_occurrence(expression: str, zone: str, first: datetime, now: datetime) -> datetime:
    """Return the latest occurrence that is not later than `now`; `first` is one, and the earliest that counts.

    Raises NoNextOccurrence.
    """
    # Going backwards, the library leaves out an occurrence that is this very second.
    at_now = next_occurrence(expression, zone, now.replace(microsecond=0) - _SECOND)
    return max(first, at_now if at_now <= now else _occurrence(expression, zone, now, reverse=True))


def _occurrence(expression: str, zone: str, moment: datetime, *, reverse: bool) -> datetime:
    try:
        return next(CronSim(expression, moment.astimezone(ZoneInfo(zone)), reverse=reverse)).astimezone(UTC)
    except ZoneInfoNotFoundError as error:
        raise NoNextOccurrence(f"The time zone {zone} is not known any more.") from error
    except (CronSimError, StopIteration) as error:
        raise NoNextOccurrence("The schedule does not come due any more.") from error
