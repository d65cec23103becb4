"""`manage.py migrate`: Django's command, which also records what it applied."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.core.management.commands.migrate import Command as DjangoCommand
from django.db import connections

from maintenance.migration_records import (
    AppliedMigration,
    Key,
    edited_migrations,
    predates_first_release,
    record_migrations,
)


class Command(DjangoCommand):
    """Records checksum, version and duration of each migration; refuses to run if applied migrations were edited."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Add `--accept-edited` to Django's arguments."""
        super().add_arguments(parser)
        parser.add_argument(
            "--accept-edited",
            action="store_true",
            help="Continue although applied migrations were edited, and record their present checksums.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate, and record what was applied, even if a later migration fails.

        Raises CommandError, before any change, if the database is older than 0.1.0 or a migration was edited.
        """
        connection = connections[options["database"]]
        if predates_first_release(connection):
            raise CommandError(
                "This database is older than version 0.1.0, where migrations start, and cannot be upgraded; nothing "
                "was changed. Set DATABASE_URL to a new database."
            )
        if options["plan"] or options["check_unapplied"]:
            super().handle(*args, **options)
            return
        if not options["accept_edited"] and (edited := edited_migrations(connection)):
            raise CommandError(
                f"Edited since they were applied: {', '.join(map(str, edited))}. This database ran an older version of "
                "them. Restore the old files and put the change into a new migration or, if both versions create the "
                "same tables, run again with --accept-edited."
            )
        self._applied: list[AppliedMigration] = []
        self._unapplied: list[Key] = []
        self._began = time.monotonic()
        try:
            super().handle(*args, **options)
        finally:
            record_migrations(
                connection=connection,
                applied=self._applied,
                unapplied=self._unapplied,
                accept=options["accept_edited"],
            )

    def migration_progress_callback(self, action: str, migration: Any = None, fake: bool = False) -> None:
        """Time each migration and collect what was applied, then print progress as Django does."""
        if action == "apply_start":
            self._began = time.monotonic()
        elif action == "apply_success":
            took_ms = None if fake else round((time.monotonic() - self._began) * 1000, 3)
            self._applied.append(AppliedMigration((migration.app_label, migration.name), took_ms))
        elif action == "unapply_success":
            self._unapplied.append((migration.app_label, migration.name))
        super().migration_progress_callback(action, migration, fake)
