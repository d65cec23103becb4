"""The checks of the database: can it be written to, and has it the tables of this version?"""

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
# So long a write lock may be maintenance; after that nobody can work.
LOCK_TOLERANCE_S = 10.0
# A row that every installation has. The write is undone: it takes every lock and permission that a real one takes.
_WRITE = "UPDATE django_migrations SET app = app WHERE id = (SELECT min(id) FROM django_migrations)"
_CONNECT_S = 2


@contextmanager
def fresh_connection() -> Iterator[BaseDatabaseWrapper]:
    """Connect anew, as the next request or worker would have to, with little patience.

    Raises ServiceUnavailable where the file of the database is gone: connecting would make an empty one.
    """
    if not database_file_is_there():
        raise ServiceUnavailable("the database file is gone")
    connection = connections["default"].copy()
    options = connection.settings_dict["OPTIONS"]
    if connection.vendor == "sqlite":
        options["timeout"] = LOCK_TIMEOUT_S
    else:
        options["connect_timeout"] = _CONNECT_S
    try:
        yield connection
    finally:
        connection.close()


def database_file_is_there() -> bool:
    """Say whether the file of the database exists; databases without a file of ours are always there."""
    path = database_file()
    return not path or file_id(path) is not None


@dataclass
class DatabaseCheck(Check):
    """Can somebody who connects now write? A lock of others is tolerated for a while."""

    name: ClassVar[str] = "database"
    critical: ClassVar[bool] = True
    locked_since: float | None = field(default=None, repr=False)
    identity: FileId | None = field(default=None, repr=False)

    def run(self) -> list[CheckObservation]:
        """Write and undo it."""
        self._detect_replaced_file()
        try:
            with fresh_connection() as connection:
                write_and_undo(connection)
        except OperationalError as error:
            if not is_lock(error):
                raise ServiceUnavailable(f"no write: {type(error).__name__}: {error}") from error
            self._raise_for_lock()
        except DatabaseError as error:
            raise ServiceUnavailable(f"no write: {type(error).__name__}: {error}") from error
        self.locked_since = None
        return []

    def _detect_replaced_file(self) -> None:
        """Fail once where the file was replaced: what was written to the old one since is not in the new one."""
        path = database_file()
        if not path:
            return
        before, self.identity = self.identity, file_id(path) or self.identity
        if before is not None and before != self.identity:
            raise ServiceUnavailable("the database file was replaced by another")

    def _raise_for_lock(self) -> None:
        now = time.monotonic()
        if self.locked_since is None:
            self.locked_since = now
        lasted_s = now - self.locked_since
        if lasted_s < LOCK_TOLERANCE_S:
            raise ServiceWarning(f"another writer has held the database for {lasted_s:.1f} s")
        raise ServiceUnavailable(f"another writer has held the database for {lasted_s:.0f} s")


def write_and_undo(connection: BaseDatabaseWrapper) -> None:
    """Write one row and take it back.

    Raises DatabaseError.
    """
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


def is_lock(error: OperationalError) -> bool:
    """Say whether a statement failed because somebody else held a lock."""
    text = str(error)
    return "database is locked" in text or "table is locked" in text or "lock timeout" in text


@dataclass
class MigrationsCheck(Check):
    """Has the database every migration of this version?"""

    name: ClassVar[str] = "migrations"
    critical: ClassVar[bool] = True

    def run(self) -> list[CheckObservation]:
        """Compare what is applied with what the code knows."""
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
    """Return the migrations of this version. Reading them takes a moment, and the code does not change."""
    loader = MigrationLoader(None, ignore_no_migrations=True)
    replaced = {key for migration in loader.disk_migrations.values() for key in migration.replaces}
    return frozenset(loader.disk_migrations) - frozenset(replaced)
