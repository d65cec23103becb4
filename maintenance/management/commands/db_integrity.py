"""`manage.py db_integrity`: check the database, and its rows against the stored files."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from core.progress_bar import ProgressBar
from maintenance.integrity import MAX_FAULTS, Finding, check_integrity


class Command(BaseCommand):
    """`db_integrity [--no-files] [--json]`."""

    help = (
        "Check the database's file, its foreign keys, the ledger, jobs, renders, batches, migrations and stored files. "
        "Lists damage and exits with 1 if there is any. Changes nothing."
    )
    # System checks query the database, and would fail without saying what is damaged.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--no-files", action="store_true", help="do not check stored files")
        parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the checks, print the findings, and exit with 1 if there is damage."""
        progress_bar = ProgressBar(sys.stderr, "checks")
        try:
            findings = list(check_integrity(files=not options["no_files"], progress=progress_bar.show))
        finally:
            progress_bar.close()
        ok = all(finding.ok for finding in findings)
        if options["json"]:
            checks = [
                {"check": finding.check, "ok": finding.ok, "faults": list(finding.faults)} for finding in findings
            ]
            self.stdout.write(json.dumps({"ok": ok, "checks": checks}))
        else:
            for finding in findings:
                self._print(finding)
        if not ok:
            sys.exit(1)

    def _print(self, finding: Finding) -> None:
        self.stdout.write(f"{finding.check}: {'ok' if finding.ok else 'DAMAGED'}")
        for fault in finding.faults:
            self.stdout.write(f"  {fault}")
        if len(finding.faults) == MAX_FAULTS:
            self.stdout.write("  ... and possibly more")
