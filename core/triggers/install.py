"""Bring the triggers of a database to what the models want.

Done after every `migrate`, not by migrations: on SQLite, Django changes a table by making a new one, and with the old
one its triggers go.
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
    """Create the triggers that are missing or out of date, and repair what may have been missed without them.

    Returns the names of those created. Tables that are not there (yet) are left out.
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
    """Drop all whose name begins so: before tables change that they name. Nothing is kept until they are back."""
    connection = connections[using]
    with transaction.atomic(using=using), connection.cursor() as cursor:
        if TAG_TABLE in connection.introspection.table_names(cursor):
            cursor.execute(f"DELETE FROM {TAG_TABLE} WHERE tag = %s", [GLOBAL_TAG])  # noqa: S608 - a constant
        for name, table in _trigger_tables(connection).items():
            if name.startswith(prefix):
                _drop(connection, cursor, name, table)


def _track_changes(connection: BaseDatabaseWrapper, *, invalidate_all: bool) -> None:
    """Say that changes are followed. invalidate_all: they were not for a time, so that nothing kept before counts."""
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
    """Return the names of the triggers there are, each with the fingerprint of its definition."""
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
    """Write down which definition this is; SQLite keeps the text itself."""
    if connection.vendor == "postgresql":
        cursor.execute(f'COMMENT ON TRIGGER "{trigger.name}" ON "{trigger.table}" IS \'{_fingerprint(trigger)}\'')


def _is_applicable(connection: BaseDatabaseWrapper, trigger: DatabaseTrigger) -> bool:
    """Return whether the table is there with the columns that the trigger names."""
    with connection.cursor() as cursor:
        if not trigger.tables | {trigger.table} <= set(connection.introspection.table_names(cursor)):
            return False
        # Django's own introspection parses the table's SQL anew each time, which takes a tenth of all migrating.
        cursor.execute(f"SELECT * FROM {connection.ops.quote_name(trigger.table)} WHERE 1 = 0")  # noqa: S608 - our name
        columns = {column[0] for column in cursor.description}
    return trigger.columns <= columns
