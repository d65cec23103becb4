"""`manage.py db_cleanup`: delete expired rows and orphan files."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection
from django.utils import timezone

from core.progress_bar import ProgressBar
from core.retention import retentions
from maintenance.ballast import ballast_bytes, create_ballast_file, delete_ballast_file, is_disk_full
from maintenance.cleanup import count_expired, delete_expired
from maintenance.optimize import truncate_log

MAX_DAYS = 36_500


class Command(BaseCommand):
    """`db_cleanup [--dry-run] [--retention-days N] [--json]`."""

    help = (
        "Delete rows past their retention and stored files without a row, in batches, while the service runs. "
        "The job core.delete_old_rows deletes such rows every hour."
    )

    # System checks may query the database, which fails on a full disk.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--dry-run", action="store_true", help="count what would be deleted, without writing")
        parser.add_argument(
            "--retention-days",
            type=_days,
            metavar="N",
            help="days to keep, instead of those configured; not for rows with their own expiry, such as sessions",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        """Count or delete, and print the counts."""
        days: int | None = options["retention_days"]
        keep = timedelta(days=days) if days is not None else None
        now, began, freed = timezone.now(), time.perf_counter(), 0
        if options["dry_run"]:
            found = count_expired(now=now, keep=keep)
        else:
            # Before the first query: on a full disk even a DELETE fails.
            freed = delete_ballast_file() if is_disk_full() else 0
            progress_bar = ProgressBar(sys.stderr, "rows")
            try:
                found = delete_expired(now=now, keep=keep, progress=progress_bar.show)
            finally:
                progress_bar.close()
            truncate_log(connection)
            create_ballast_file()
        tables = {retention.name: retention.table for retention in retentions.by_name()}
        answer = {
            "dry_run": options["dry_run"],
            "retention_days": days,
            "rows": [{"name": name, "table": tables[name], "rows": rows} for name, rows in found.rows.items()],
            "rows_total": sum(found.rows.values()),
            "orphan_files": found.files,
            "orphan_bytes": found.files_bytes,
            "ballast_freed_bytes": freed,
            "ballast_bytes": ballast_bytes(),
            "took_s": round(time.perf_counter() - began, 3),
        }
        if options["json"]:
            self.stdout.write(json.dumps(answer))
            return
        for row in answer["rows"]:
            self.stdout.write(f"{row['rows']:>12,} {row['name']} ({row['table']})")
        self.stdout.write(f"{found.files:>12,} stored files without a row, {found.files_bytes:,} bytes")
        if freed:
            ballast = "It has been created again." if ballast_bytes() else "There is no room for it yet."
            self.stdout.write(f"The disk was full: {freed:,} bytes of ballast were freed first. {ballast}")
        done = "would be deleted" if options["dry_run"] else "deleted"
        self.stdout.write(f"{answer['rows_total']:,} rows and {found.files:,} files {done} in {answer['took_s']} s.")


def _days(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MAX_DAYS:
        raise ArgumentTypeError(f"a whole number of days from 1 to {MAX_DAYS:,}")
    return int(text)
