"""`manage.py db_backup`: back up the database while it is in use."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from core.progress_bar import ProgressBar
from maintenance.backup import Backup, BackupFailed, back_up
from maintenance.backup_rotation import back_up_into


class Command(BaseCommand):
    """`db_backup PATH [--force | --keep N [--weeks N]] [--json]`."""

    help = (
        "Copy a consistent snapshot of the database to a file while it is in use, and verify the copy. "
        "Stored files (STORAGE_URL) and SECRET_KEY are not included."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("path", metavar="PATH", type=Path, help="the file to create, in an existing directory")
        parser.add_argument("--force", action="store_true", help="replace an existing file")
        parser.add_argument(
            "--keep",
            type=_count,
            metavar="N",
            help="PATH is a directory: create a file named after the time, and keep only the newest N such files",
        )
        parser.add_argument(
            "--weeks", type=_count, default=0, metavar="N", help="with --keep: also keep one a week for N weeks"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        """Back up, and print what the copy contains."""
        began = time.perf_counter()
        progress_bar = ProgressBar(sys.stderr, "pages")
        try:
            backup, expired = self._back_up(progress_bar, **options)
        except BackupFailed as error:
            raise CommandError(str(error)) from error
        finally:
            progress_bar.close()
        took_s = round(time.perf_counter() - began, 3)
        answer = {
            "path": str(backup.path),
            "size_bytes": backup.size_bytes,
            "sha256": backup.sha256,
            "rows": sum(backup.rows.values()),
            "tables": backup.rows,
            "took_s": took_s,
            "deleted": [file.name for file in expired],
        }
        if options["json"]:
            self.stdout.write(json.dumps(answer))
            return
        self.stdout.write(
            f"{backup.path}: {backup.size_bytes:,} bytes, {answer['rows']:,} rows of {len(backup.rows)} tables, "
            f"the same as in the database, in {took_s} s."
        )
        for file in expired:
            self.stdout.write(f"Deleted: {file}")
        if settings.STORAGE_URL.startswith("file:"):
            self.stdout.write(f"Not included: the stored files in {settings.STORAGE_URL.removeprefix('file://')}.")
        else:
            self.stdout.write("Not included: the stored files in the bucket.")

    @staticmethod
    def _back_up(
        progress_bar: ProgressBar, *, path: Path, force: bool, keep: int | None, weeks: int, **others: Any
    ) -> tuple[Backup, list[Path]]:
        if keep is None:
            return back_up(target=path.absolute(), force=force, progress=progress_bar.show), []
        return back_up_into(
            folder=path.absolute(), keep=keep, weeks=weeks, now=timezone.now(), progress=progress_bar.show
        )


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise ArgumentTypeError("must be a whole number above zero")
    return int(text)
