"""`manage.py seed_demo`: fill the database with realistic demo data."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from core.progress_bar import ProgressBar
from maintenance.seeding import SeedPlan, seed

MAX_ROWS = 100_000_000


class Command(BaseCommand):
    """`seed_demo [--jobs N] [--events N] [--renders N]`."""

    help = (
        "Fill the database with users, projects, renders in all states, jobs, credits, events and statistics, for "
        "demos and measurements. A few renders are really submitted, for a worker to process."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--renders", type=_number, default=1000, metavar="N", help="renders (default 1000)")
        parser.add_argument("--jobs", type=_number, default=0, metavar="N", help="jobs, including 1 per render")
        parser.add_argument("--events", type=_number, default=0, metavar="N", help="events, including 3 per render")
        parser.add_argument("--days", type=_number, default=60, metavar="N", help="days of history (default 60)")
        parser.add_argument("--seed", type=int, metavar="N", help="seed of the random data")
        parser.add_argument("--no-files", action="store_true", help="store no sample video; mark outputs as deleted")
        parser.add_argument("--force", action="store_true", help="run even if DEBUG is off")
        parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        """Seed the database, and print the row counts."""
        if not settings.DEBUG and not settings.TESTING and not options["force"]:
            raise CommandError("DEBUG is off: this may be a service with real accounts. Use --force to seed it anyway.")
        plan = SeedPlan(
            renders=options["renders"],
            jobs=options["jobs"],
            events=options["events"],
            days=max(1, options["days"]),
            seed=options["seed"],
            with_files=not options["no_files"],
        )
        began = time.perf_counter()
        progress_bar = ProgressBar(sys.stderr, "rows")
        try:
            seeded = seed(plan, progress_bar.show)
        finally:
            progress_bar.close()
        took_s = round(time.perf_counter() - began, 1)
        if options["json"]:
            self.stdout.write(json.dumps({"users_prefix": seeded.prefix, **seeded.rows, "took_s": took_s}))
            return
        rows = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in seeded.rows.items())
        self.stdout.write(f"{rows} in {took_s} s. Usernames start with {seeded.prefix}-.")


def _number(text: str) -> int:
    try:
        number = int(text.replace("_", "").replace(",", ""))
    except ValueError:
        raise ArgumentTypeError(f"{text} is not a number") from None
    if not 0 <= number <= MAX_ROWS:
        raise ArgumentTypeError(f"must be a number from 0 to {MAX_ROWS:,}")
    return number
