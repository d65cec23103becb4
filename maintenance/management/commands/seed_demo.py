"""Fill the database with believable rows."""

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
        "Fill the database with users, projects, renders in all states, jobs, credits, events and their stats, for "
        "trials and measurements. A few renders are submitted for real: a worker takes them up."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--renders", type=_number, default=1000, metavar="N", help="renders (default 1000)")
        parser.add_argument("--jobs", type=_number, default=0, metavar="N", help="jobs in all, one of each render")
        parser.add_argument(
            "--events", type=_number, default=0, metavar="N", help="events in all, three of each render"
        )
        parser.add_argument("--days", type=_number, default=60, metavar="N", help="how far back (default 60)")
        parser.add_argument("--seed", type=int, metavar="N", help="the same random data again")
        parser.add_argument("--no-files", action="store_true", help="store no sample video; outputs count as deleted")
        parser.add_argument("--force", action="store_true", help="also where DEBUG is off")
        parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        """Fill, and say what was written."""
        if not settings.DEBUG and not settings.TESTING and not options["force"]:
            raise CommandError("DEBUG is off: this may be a service with real accounts. --force does it all the same.")
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
        self.stdout.write(f"{rows} in {took_s} s. The users are named {seeded.prefix}-...")


def _number(text: str) -> int:
    """Return a number of rows."""
    try:
        number = int(text.replace("_", "").replace(",", ""))
    except ValueError:
        raise ArgumentTypeError(f"{text} is not a number") from None
    if not 0 <= number <= MAX_ROWS:
        raise ArgumentTypeError(f"a number from 0 to {MAX_ROWS:,}")
    return number
