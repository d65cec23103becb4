"""Migration checksums: detect migrations that were edited after they were applied.

Such an edit leaves two kinds of databases: those that ran the old text and those that ran the new one. Nothing fails
until a query runs against the wrong one.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from django.apps import apps
from django.conf import settings
from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from maintenance.models import MigrationChecksum

Key = tuple[str, str]
State = Literal["applied", "pending", "edited", "missing", "changed by its package"]
FAULTS: tuple[State, ...] = ("edited", "missing")
# Applied by every database from before 0.1.0 and by none since: core's first migration is `0001_initial`.
BEFORE_FIRST_RELEASE: Key = ("core", "0001_idempotency_key")


@dataclass(frozen=True, slots=True)
class MigrationStatus:
    """A migration on disk or in the database.

    checksum: of the file, empty if it is missing. recorded, app_version, duration_ms: from the time it was applied;
    empty if that was before checksums were recorded.
    """

    app: str
    name: str
    state: State
    checksum: str
    recorded: str = ""
    applied_at: datetime | None = None
    app_version: str = ""
    duration_ms: float | None = None

    @property
    def key(self) -> Key:
        """Return app label and name, as Django identifies it."""
        return self.app, self.name

    def __str__(self) -> str:
        return f"{self.app}.{self.name}"


@dataclass(frozen=True, slots=True)
class AppliedMigration:
    """A migration that this run applied. duration_ms: None if it was faked."""

    key: Key
    duration_ms: float | None


def checksum_of(source: str) -> str:
    """Return the SHA-256 of a migration's text, ignoring line endings and trailing whitespace.

    Not of its syntax tree, which differs between versions of Python.
    """
    lines = [line.rstrip() for line in source.removeprefix("\ufeff").splitlines()]
    text = "\n".join(lines).rstrip("\n")
    return hashlib.sha256(text.encode()).hexdigest()


def checksums_on_disk() -> dict[Key, str]:
    """Return the checksum of each migration file."""
    return {key: _checksum_of_file(migration) for key, migration in _on_disk().items()}


def migration_statuses(connection: BaseDatabaseWrapper) -> list[MigrationStatus]:
    """Return all migrations that have a file or were applied, sorted by app and name."""
    disk = _on_disk()
    applied = _applied(connection)
    recorded = {(row.app, row.name): row for row in _records(connection)}
    # Files of migrations that a squashed one replaces may be deleted.
    replaced = {key for migration in disk.values() for key in migration.replaces}
    keys = disk.keys() | (applied.keys() - replaced)
    return [_status(key, disk.get(key), applied, recorded.get(key)) for key in sorted(keys)]


def predates_first_release(connection: BaseDatabaseWrapper) -> bool:
    """Return whether the database was made before 0.1.0, by migrations that no longer exist."""
    return BEFORE_FIRST_RELEASE in _applied(connection)


def edited_migrations(connection: BaseDatabaseWrapper) -> list[MigrationStatus]:
    """Return the project's migrations whose files changed since they were applied."""
    return [status for status in migration_statuses(connection) if status.state == "edited"]


def record_migrations(
    *, connection: BaseDatabaseWrapper, applied: Iterable[AppliedMigration], unapplied: Collection[Key], accept: bool
) -> None:
    """Record the migrations that this run applied, and a baseline of earlier ones that have no record yet.

    accept: also replace the records of edited migrations.
    """
    if not _has_table(connection):
        return  # the table's own migration is not applied yet, or was reversed
    durations = {run.key: run.duration_ms for run in applied}
    now = timezone.now()
    records = MigrationChecksum.objects.using(connection.alias)
    with transaction.atomic(using=connection.alias):
        _delete_records(connection, [*unapplied, *durations])
        fresh = []
        for status in migration_statuses(connection):
            if status.state == "applied" and not status.recorded:
                fresh.append(_new_record(status, durations, now))
            elif status.state == "changed by its package" or (accept and status.state == "edited"):
                records.filter(app=status.app, name=status.name).update(
                    checksum=status.checksum, app_version=settings.RENDEROWL_VERSION, accepted_at=now
                )
        records.bulk_create(fresh)


def _new_record(status: MigrationStatus, durations: Mapping[Key, float | None], now: datetime) -> MigrationChecksum:
    return MigrationChecksum(
        app=status.app,
        name=status.name,
        checksum=status.checksum,
        app_version=settings.RENDEROWL_VERSION,
        duration_ms=durations.get(status.key),
        # Applied before checksums were recorded: assumed unedited so far.
        is_baseline=status.key not in durations,
        applied_at=status.applied_at or now,
    )


def _delete_records(connection: BaseDatabaseWrapper, keys: Iterable[Key]) -> None:
    for app, name in keys:
        MigrationChecksum.objects.using(connection.alias).filter(app=app, name=name).delete()


def _status(
    key: Key, migration: Migration | None, applied: Mapping[Key, datetime], record: MigrationChecksum | None
) -> MigrationStatus:
    app, name = key
    checksum = _checksum_of_file(migration) if migration is not None else ""
    if key not in applied:
        return MigrationStatus(app, name, "pending", checksum)
    state: State = "applied"
    if migration is None:
        state = "missing"
    elif record is not None and record.checksum != checksum:
        state = "edited" if _is_first_party(app) else "changed by its package"
    return MigrationStatus(
        app=app,
        name=name,
        state=state,
        checksum=checksum,
        recorded=record.checksum if record else "",
        applied_at=applied[key],
        app_version=record.app_version if record else "",
        duration_ms=record.duration_ms if record else None,
    )


def _on_disk() -> dict[Key, Migration]:
    # Without the graph, which cannot be built while the file of a dependency is missing.
    loader = MigrationLoader(None, load=False)
    loader.load_disk()
    return loader.disk_migrations


def _checksum_of_file(migration: Migration) -> str:
    path = inspect.getsourcefile(sys.modules[type(migration).__module__])
    return checksum_of(Path(path).read_text(encoding="utf-8")) if path else ""


def _is_first_party(app: str) -> bool:
    config = apps.app_configs.get(app)
    return config is not None and Path(config.path).parent == Path(settings.BASE_DIR)


def _applied(connection: BaseDatabaseWrapper) -> dict[Key, datetime]:
    return {key: row.applied for key, row in MigrationRecorder(connection).applied_migrations().items()}


def _records(connection: BaseDatabaseWrapper) -> list[MigrationChecksum]:
    return list(MigrationChecksum.objects.using(connection.alias)) if _has_table(connection) else []


def _has_table(connection: BaseDatabaseWrapper) -> bool:
    return MigrationChecksum._meta.db_table in connection.introspection.table_names()
