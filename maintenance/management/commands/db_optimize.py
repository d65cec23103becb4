"""`manage.py db_optimize`: vacuum, and refresh the planner's statistics."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection

from maintenance.optimize import optimize_database


class Command(BaseCommand):
    """`db_optimize [--no-vacuum] [--json]`."""

    help = (
        "SQLite: VACUUM if the disk has room for it, ANALYZE, PRAGMA optimize, and truncation of the log. "
        "PostgreSQL: VACUUM (ANALYZE)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--no-vacuum", action="store_true", help="SQLite: skip VACUUM, which blocks writers")
        parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        """Optimize, and print each step."""
        steps = optimize_database(connection=connection, vacuum=not options["no_vacuum"])
        if options["json"]:
            self.stdout.write(json.dumps({"steps": [asdict(step) for step in steps]}))
            return
        for step in steps:
            done = "done" if step.done else "not done"
            note = f": {step.note}" if step.note else ""
            self.stdout.write(f"{step.name}: {done} in {step.took_s} s{note}")
