"""`manage.py migrate_status`: list migrations and detect edited ones."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection

from maintenance.migration_records import FAULTS, MigrationStatus, migration_statuses


class Command(BaseCommand):
    """`migrate_status [--json]`."""

    help = (
        "List applied and pending migrations. Exits with 1, naming them, if applied migrations were edited or "
        "their files are missing. Changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the list; exit with 1 if a migration was edited or its file is missing."""
        statuses = migration_statuses(connection)
        faults = [status for status in statuses if status.state in FAULTS]
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(statuses)))
        else:
            self._print(statuses)
        for fault in faults:
            self.stderr.write(f"{fault}: {fault.state}")
        if faults:
            sys.exit(1)

    def _print(self, statuses: list[MigrationStatus]) -> None:
        for status in statuses:
            applied = f"{status.applied_at:%Y-%m-%d %H:%M}" if status.applied_at else ""
            took = f"{status.duration_ms:.0f} ms" if status.duration_ms is not None else ""
            line = f"{status.state:<10} {status!s:<55} {applied:<17} {status.app_version:<10} {took}"
            self.stdout.write(line.rstrip())
        counts = Counter(status.state for status in statuses)
        self.stdout.write(", ".join(f"{count} {state}" for state, count in sorted(counts.items())))


def _as_json(statuses: list[MigrationStatus]) -> dict[str, Any]:
    counts = Counter(status.state for status in statuses)
    rows = [
        {
            "app": status.app,
            "name": status.name,
            "state": status.state,
            "checksum": status.checksum,
            "recorded_checksum": status.recorded,
            "applied_at": status.applied_at.isoformat() if status.applied_at else None,
            "app_version": status.app_version,
            "duration_ms": status.duration_ms,
        }
        for status in statuses
    ]
    named = {
        state: [str(status) for status in statuses if status.state == state]
        for state in ("pending", "edited", "missing")
    }
    return {"ok": not any(counts[state] for state in FAULTS), "applied": counts["applied"], **named, "migrations": rows}
