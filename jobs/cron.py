"""Cron expressions, in UTC."""

from __future__ import annotations

from datetime import datetime

from cronsim import CronSim, CronSimError


def validate_cron(expression: str) -> None:
    """Raise ValueError unless the expression can be read."""
    try:
        CronSim(expression, datetime(2026, 1, 1))  # noqa: DTZ001 - only the expression is looked at
    except CronSimError as error:
        raise ValueError(f"{expression!r} is no cron expression") from error


def next_run(expression: str, after: datetime) -> datetime:
    """Return the first tick later than `after`, an aware time.

    Raises ValueError if the expression cannot be read or never comes due.
    """
    validate_cron(expression)
    try:
        return next(CronSim(expression, after))
    except StopIteration as error:
        raise ValueError(f"{expression!r} never comes due") from error
