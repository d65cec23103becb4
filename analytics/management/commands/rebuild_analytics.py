"""Management command that rebuilds the stats from the event log."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.dateparse import parse_date, parse_datetime

from analytics import services
from core.exceptions import DomainError


class Command(BaseCommand):
    """`rebuild_analytics [--since DATE]`: rebuild stats."""

    help = "Rebuild the hourly and daily stats from the events, one day at a time, without downtime."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the option --since."""
        parser.add_argument("--since", metavar="DATE", help="first day (UTC), e.g. 2026-11-01; default: all days")

    def handle(self, *args: Any, **options: Any) -> None:
        """Rebuild day by day and report the number of events."""
        since = _read_time(options["since"]) if options["since"] else None
        began = time.perf_counter()
        days = events = 0
        try:
            for day, counted in services.rebuild_range(since=since):
                days, events = days + 1, events + counted
                if options["verbosity"] > 1 or counted:
                    self.stdout.write(f"{day:%Y-%m-%d}  {counted} events")
        except DomainError as error:
            raise CommandError(error.detail) from error
        self.stdout.write(f"{events} events of {days} days aggregated in {time.perf_counter() - began:.1f} s.")


def _read_time(text: str) -> datetime:
    try:
        moment = parse_datetime(text)
        if moment is None and (day := parse_date(text)) is not None:
            moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
    except ValueError:
        moment = None
    if moment is None:
        raise CommandError(f"{text} is not a date such as 2026-11-01.")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
