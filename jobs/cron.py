"""Cron expressions, evaluated in UTC."""

from __future__ import annotations

from datetime import datetime

from cronsim import CronSim, CronSimError


def validate_cron(expression: str) -> None:
    """Raise ValueError for an invalid expression."""
    try:
        CronSim(expression, datetime(2026, 1, 1))  # noqa: DTZ001 - only the expression is parsed
    except CronSimError as error:
        raise ValueError(f"{expression!r} is not a cron expression") from error


def next_run(expression: str, after: datetime) -> datetime:
    """Return the first run later than `after`, an aware time. Raises ValueError for none, or an invalid expression."""
    validate_cron(expression)
    try:
        return next(CronSim(expression, after))
    except StopIteration as error:
        raise ValueError(f"{expression!r} never runs") from error
