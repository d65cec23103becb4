"""Health checks of the database: writability and applied migrations."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import ClassVar

from django.db import DatabaseError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from health_check.exceptions import ServiceUnavailable, ServiceWarning

from core.database import database_file
from core.sqlite_backend.base import FileId, file_id
from monitoring.health.base import Check, CheckObservation, HealthStatus

LOCK_TIMEOUT_S = 0.4
# A write lock may be maintenance for this long; after that the check fails.
LOCK_TOLERANCE_S = 10.0
# A row that every installation has. Although rolled back, the write needs the locks and permissions of a real one.
_WRITE = "UPDATE django_migrations SET app = app WHERE id = (SELECT min(id) FROM django_migrations)"
_CONNECT_TIMEOUT_S = 2


@contextmanager
def fresh_connection() -> Iterator[BaseDatabaseWrapper]:
    """Open a new connection with short timeouts.

    Raises ServiceUnavailable if the database file is missing: connecting would create an empty one.
    """
    if not database_file_exists():
        raise ServiceUnavailable("the database file is gone")
    connection = connections["default"].copy()
    options = connection.settings_dict["OPTIONS"]
    if connection.vendor == "sqlite":
        options["timeout"] = LOCK_TIMEOUT_S
    else:
        options["connect_timeout"] = _CONNECT_TIMEOUT_S
    try:
        yield connection
    finally:
        connection.close()


def database_file_exists() -> bool:
    """Return whether the database file exists; always true for databases without a local file."""
    path = database_file()
    return not path or file_id(path) is not None


@dataclass
class DatabaseCheck(Check):
    """Checks that a new connection can write. Another writer's lock is tolerated for a while."""

    name: ClassVar[str] = "database"
    critical: ClassVar[bool] = True
    locked_since: float | None = field(default=None, repr=False)
    identity: FileId | None = field(default=None, repr=False)

    def run(self) -> list[CheckObservation]:
        """Write a row and roll back."""
        self._detect_replaced_file()
        try:
            with fresh_connection() as connection:
                write_and_roll_back(connection)
        except OperationalError as error:
            if not is_lock_error(error):
                raise ServiceUnavailable(f"no write: {type(error).__name__}: {error}") from error
            self._raise_for_lock()
        except DatabaseError as error:
            raise ServiceUnavailable(f"no write: {type(error).__name__}: {error}") from error
        self.locked_since = None
        return []

    def _detect_replaced_file(self) -> None:
        """Fail once if the file was replaced: open connections still write to the old one."""
        path = database_file()
        if not path:
            return
        before, self.identity = self.identity, file_id(path) or self.identity
        if before is not None and before != self.identity:
            raise ServiceUnavailable("the database file was replaced")

    def _raise_for_lock(self) -> None:
        now = time.monotonic()
        if self.locked_since is None:
            self.locked_since = now
        held_s = now - self.locked_since
        if held_s < LOCK_TOLERANCE_S:
            raise ServiceWarning(f"another writer has held the database for {held_s:.1f} s")
        raise ServiceUnavailable(f"another writer has held the database for {held_s:.0f} s")


def write_and_roll_back(connection: BaseDatabaseWrapper) -> None:
    """Write one row and roll back. Raises DatabaseError."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            timeout_ms = round(LOCK_TIMEOUT_S * 1000)
            cursor.execute(f"BEGIN; SET LOCAL lock_timeout = {timeout_ms}; SET LOCAL statement_timeout = 900")
        else:
            cursor.execute("BEGIN IMMEDIATE")
        try:
            cursor.execute(_WRITE)
        finally:
            cursor.execute("ROLLBACK")


def is_lock_error(error: OperationalError) -> bool:
    """Return whether a statement failed because another connection held a lock."""
    text = str(error)
    return "database is locked" in text or "table is locked" in text or "lock timeout" in text


@dataclass
class MigrationsCheck(Check):
    """Checks that every migration of this version is applied."""

    name: ClassVar[str] = "migrations"
    critical: ClassVar[bool] = True

    def run(self) -> list[CheckObservation]:
        """Compare the applied migrations with those on disk."""
        try:
            with fresh_connection() as connection, connection.cursor() as cursor:
                cursor.execute("SELECT app, name FROM django_migrations")
                applied = set(cursor.fetchall())
        except DatabaseError as error:
            raise ServiceUnavailable(f"unreadable: {type(error).__name__}: {error}") from error
        missing = sorted(f"{app}.{name}" for app, name in known_migrations() - applied)
        status = HealthStatus.FAIL if missing else HealthStatus.PASS
        return [CheckObservation("missing", len(missing), "migrations", status, ", ".join(missing[:10]))]


@cache
def known_migrations() -> frozenset[tuple[str, str]]:
    """Return the migrations on disk without replaced ones. Cached, as loading them is slow."""
    loader = MigrationLoader(None, ignore_no_migrations=True)
    replaced = {key for migration in loader.disk_migrations.values() for key in migration.replaces}
    return frozenset(loader.disk_migrations) - frozenset(replaced)
