"""What each applied migration looked like when it was applied, and whether its file still looks like that.

A migration that is edited after it was applied leaves two kinds of databases behind: those that ran the old text and
those that ran the new one. Nothing fails until a query meets the wrong one.
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
# Every database from before 0.1.0 applied it, and none since: core's first migration is `0001_initial`.
BEFORE_FIRST_RELEASE: Key = ("core", "0001_idempotency_key")


@dataclass(frozen=True, slots=True)
class MigrationStatus:
    """One migration.

    checksum: of the file, empty where it is gone. recorded, app_version, duration_ms: as it was applied; empty where it
    was applied before records were kept.
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
        """Return what Django names it by."""
        return self.app, self.name

    def __str__(self) -> str:
        return f"{self.app}.{self.name}"


@dataclass(frozen=True, slots=True)
class AppliedMigration:
    """A migration that this run applied, and how long it took; None: it was only marked as applied."""

    key: Key
    duration_ms: float | None


def checksum_of(source: str) -> str:
    """Return the SHA-256 of a migration's text; ends of lines and what is invisible at them do not count.

    Not of its syntax tree: that differs between versions of Python.
    """
    lines = [line.rstrip() for line in source.removeprefix("\ufeff").splitlines()]
    text = "\n".join(lines).rstrip("\n")
    return hashlib.sha256(text.encode()).hexdigest()


def checksums_on_disk() -> dict[Key, str]:
    """Return the checksum of each migration that there is a file of."""
    return {key: _checksum_of_file(migration) for key, migration in _on_disk().items()}


def migration_statuses(connection: BaseDatabaseWrapper) -> list[MigrationStatus]:
    """Return all migrations that have a file or were applied, by app and name."""
    disk = _on_disk()
    applied = _applied(connection)
    recorded = {(row.app, row.name): row for row in _records(connection)}
    # A squashed migration stands for those whose files it made superfluous.
    replaced = {key for migration in disk.values() for key in migration.replaces}
    keys = disk.keys() | (applied.keys() - replaced)
    return [_status(key, disk.get(key), applied, recorded.get(key)) for key in sorted(keys)]


def predates_first_release(connection: BaseDatabaseWrapper) -> bool:
    """Return whether the database was made before 0.1.0, by migrations that are gone."""
    return BEFORE_FIRST_RELEASE in _applied(connection)


def edited_migrations(connection: BaseDatabaseWrapper) -> list[MigrationStatus]:
    """Return our own migrations that do not look any more as they did when they were applied."""
    return [status for status in migration_statuses(connection) if status.state == "edited"]


def record_migrations(
    *, connection: BaseDatabaseWrapper, applied: Iterable[AppliedMigration], unapplied: Collection[Key], accept: bool
) -> None:
    """Keep what this run applied, and how all that was applied earlier looks now unless that is on record.

    accept: also replace the records of migrations that were edited.
    """
    if not _has_table(connection):
        # Before the migration that makes the table, or after it was taken back.
        return
    durations = {run.key: run.duration_ms for run in applied}
    now = timezone.now()
    records = MigrationChecksum.objects.using(connection.alias)
    with transaction.atomic(using=connection.alias):
        _forget(connection, [*unapplied, *durations])
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
        # Applied before records were kept: that it was not edited until now is taken on trust.
        is_baseline=status.key not in durations,
        applied_at=status.applied_at or now,
    )


def _forget(connection: BaseDatabaseWrapper, keys: Iterable[Key]) -> None:
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
        state = "edited" if _is_ours(app) else "changed by its package"
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
    # Without its graph, which cannot be built while the file of a migration that another needs is missing.
    loader = MigrationLoader(None, load=False)
    loader.load_disk()
    return loader.disk_migrations


def _checksum_of_file(migration: Migration) -> str:
    path = inspect.getsourcefile(sys.modules[type(migration).__module__])
    return checksum_of(Path(path).read_text(encoding="utf-8")) if path else ""


def _is_ours(app: str) -> bool:
    config = apps.app_configs.get(app)
    return config is not None and Path(config.path).parent == Path(settings.BASE_DIR)


def _applied(connection: BaseDatabaseWrapper) -> dict[Key, datetime]:
    return {key: row.applied for key, row in MigrationRecorder(connection).applied_migrations().items()}


def _records(connection: BaseDatabaseWrapper) -> list[MigrationChecksum]:
    return list(MigrationChecksum.objects.using(connection.alias)) if _has_table(connection) else []


def _has_table(connection: BaseDatabaseWrapper) -> bool:
    return MigrationChecksum._meta.db_table in connection.introspection.table_names()
