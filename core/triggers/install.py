"""Installation of the database triggers.

Runs after every `migrate`, not in migrations: on SQLite, Django changes a table by creating a new one, and drops the
triggers with the old one.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from core.cache_tags.registry import GLOBAL_TAG
from core.triggers.definitions import PREFIX, TAG_TABLE, TAGS_PREFIX, DatabaseTrigger, expected_triggers


def install_triggers(using: str = "default") -> list[str]:
    """Create missing and outdated triggers, and make up for changes that they may have missed.

    Returns the names of those created. Tables that do not exist (yet) are skipped.
    """
    connection = connections[using]
    present = installed_triggers(connection)
    created = []
    for trigger in expected_triggers(connection.vendor):
        if present.get(trigger.name) == _fingerprint(trigger) or not _is_applicable(connection, trigger):
            continue
        with transaction.atomic(using=using), connection.cursor() as cursor:
            if trigger.name in present:
                _drop(connection, cursor, trigger.name, trigger.table)
            for statement in trigger.statements:
                cursor.execute(statement)
            _store_fingerprint(connection, cursor, trigger)
            if trigger.repair:
                cursor.execute(trigger.repair)
        created.append(trigger.name)
    _track_changes(connection, invalidate_all=any(name.startswith(TAGS_PREFIX) for name in created))
    return created


def drop_triggers(using: str = "default", *, prefix: str = PREFIX) -> None:
    """Drop triggers by prefix, before a change of tables in their SQL. Until they are back, nothing is cached."""
    connection = connections[using]
    with transaction.atomic(using=using), connection.cursor() as cursor:
        if TAG_TABLE in connection.introspection.table_names(cursor):
            cursor.execute(f"DELETE FROM {TAG_TABLE} WHERE tag = %s", [GLOBAL_TAG])  # noqa: S608 - a constant
        for name, table in _trigger_tables(connection).items():
            if name.startswith(prefix):
                _drop(connection, cursor, name, table)


def _track_changes(connection: BaseDatabaseWrapper, *, invalidate_all: bool) -> None:
    """Mark changes as tracked. invalidate_all: after a time in which they were not."""
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        if TAG_TABLE not in connection.introspection.table_names(cursor):
            return
        number = 1 + secrets.randbelow(2**31)
        cursor.execute(
            f"INSERT INTO {TAG_TABLE} (account, tag, version) SELECT '', %s, %s "  # noqa: S608 - a constant
            f"WHERE NOT EXISTS (SELECT 1 FROM {TAG_TABLE} WHERE tag = %s)",
            [GLOBAL_TAG, number, GLOBAL_TAG],
        )
        if invalidate_all:
            cursor.execute(
                f"UPDATE {TAG_TABLE} SET version = version + %s WHERE tag = %s",  # noqa: S608
                [number, GLOBAL_TAG],
            )


def installed_triggers(connection: BaseDatabaseWrapper) -> Mapping[str, str]:
    """Return the installed triggers: name -> fingerprint of the definition."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(
                "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND substr(name, 1, 10) = %s", [PREFIX]
            )
            return {name: _hash(text) for name, text in cursor.fetchall()}
        cursor.execute(
            "SELECT tgname, coalesce(obj_description(oid, 'pg_trigger'), '') FROM pg_trigger"
            " WHERE NOT tgisinternal AND starts_with(tgname, %s)",
            [PREFIX],
        )
        return dict(cursor.fetchall())


def _fingerprint(trigger: DatabaseTrigger) -> str:
    return _hash("\n".join(trigger.statements))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _trigger_tables(connection: BaseDatabaseWrapper) -> dict[str, str]:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(
                "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger' AND substr(name, 1, 10) = %s", [PREFIX]
            )
        else:
            cursor.execute(
                "SELECT tgname, tgrelid::regclass::text FROM pg_trigger"
                " WHERE NOT tgisinternal AND starts_with(tgname, %s)",
                [PREFIX],
            )
        return dict(cursor.fetchall())


def _drop(connection: BaseDatabaseWrapper, cursor: Any, name: str, table: str) -> None:
    if connection.vendor == "sqlite":
        cursor.execute(f'DROP TRIGGER "{name}"')
    else:
        cursor.execute(f'DROP TRIGGER "{name}" ON "{table.strip(chr(34))}"')


def _store_fingerprint(connection: BaseDatabaseWrapper, cursor: Any, trigger: DatabaseTrigger) -> None:
    """Store the fingerprint as a comment; SQLite stores the SQL itself."""
    if connection.vendor == "postgresql":
        cursor.execute(f'COMMENT ON TRIGGER "{trigger.name}" ON "{trigger.table}" IS \'{_fingerprint(trigger)}\'')


def _is_applicable(connection: BaseDatabaseWrapper, trigger: DatabaseTrigger) -> bool:
    """Return whether the tables and columns in the trigger's SQL exist."""
    with connection.cursor() as cursor:
        if not trigger.tables | {trigger.table} <= set(connection.introspection.table_names(cursor)):
            return False
        # Django's introspection parses the table's SQL each time, which takes a tenth of the time of `migrate`.
        cursor.execute(f"SELECT * FROM {connection.ops.quote_name(trigger.table)} WHERE 1 = 0")  # noqa: S608 - our name
        columns = {column[0] for column in cursor.description}
    return trigger.columns <= columns
