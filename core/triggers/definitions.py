"""SQL of the database triggers. Only names of our own tables and columns are interpolated."""

# ruff: noqa: S608
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.apps import apps
from django.db.models import Model

from core.cache_tags.registry import TaggedTable, tagged_tables
from core.models import VersionedModel

PREFIX = "renderowl_"
TAGS_PREFIX = f"{PREFIX}tags_"
TAG_TABLE = "core_cachetag"
INCREMENT_TABLE = "core_tagincrement"
_MAX_STEP = 2**31 - 1


@dataclass(frozen=True, slots=True)
class DatabaseTrigger:
    """One trigger.

    columns: of its own table in the SQL; tables: other tables in the SQL; statements: create it, for one vendor.
    repair: makes up for changes without the trigger; run in the transaction that creates it.
    """

    name: str
    table: str
    columns: frozenset[str]
    statements: tuple[str, ...]
    tables: frozenset[str] = frozenset()
    repair: str = ""


def expected_triggers(vendor: str) -> Iterator[DatabaseTrigger]:
    """Yield every trigger of the installed models. vendor: `sqlite` or `postgresql`."""
    versioned = {model._meta.db_table for model in versioned_models()}
    for table in sorted(versioned):
        yield _version_trigger(table, vendor)
    for tagged in tagged_tables.values():
        if vendor == "sqlite":
            yield from _sqlite_tag_triggers(tagged, is_versioned=tagged.table in versioned)
        else:
            yield from _postgres_tag_triggers(tagged)


def versioned_models() -> list[type[Model]]:
    """Return the models whose rows have a version."""
    return [model for model in apps.get_models() if issubclass(model, VersionedModel) and not model._meta.proxy]


def _version_trigger(table: str, vendor: str) -> DatabaseTrigger:
    """Increment `row_version` on every change.

    Also if the writer sets it: a form that saves all columns of a row read earlier would restore an old number, under
    which clients have cached other content. Only a higher one is accepted, that of `claim_version`.
    """
    name = f"{PREFIX}version_{table}"
    repair = f'UPDATE "{table}" SET row_version = row_version + 1'
    if vendor == "sqlite":
        text = (
            f'CREATE TRIGGER "{name}" AFTER UPDATE ON "{table}" FOR EACH ROW '
            f"WHEN NEW.row_version <= OLD.row_version BEGIN "
            f'UPDATE "{table}" SET row_version = OLD.row_version + 1 WHERE rowid = NEW.rowid; END'
        )
        return DatabaseTrigger(name, table, frozenset({"row_version"}), (text,), repair=repair)
    function = (
        f"CREATE OR REPLACE FUNCTION {PREFIX}raise_version() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF NEW.row_version <= OLD.row_version THEN NEW.row_version := OLD.row_version + 1; END IF; "
        f"RETURN NEW; END $$"
    )
    text = f'CREATE TRIGGER "{name}" BEFORE UPDATE ON "{table}" FOR EACH ROW EXECUTE FUNCTION {PREFIX}raise_version()'
    return DatabaseTrigger(name, table, frozenset({"row_version"}), (function, text), repair=repair)


def _account_sql(tagged: TaggedTable, row: str, as_hex: Callable[[str], str] = str) -> str:
    """Return the SQL of the id of a row's account, which may be NULL. as_hex: SQL of a column as 32 digits."""
    owner = as_hex(f"{row}.{tagged.owner}")
    if tagged.parent:
        column = as_hex(f"p.{tagged.parent_owner}")
        owner = f'(SELECT {column} FROM "{tagged.parent}" AS p WHERE p.id = {row}.{tagged.owner})'
    return owner


def _sqlite_tag_triggers(tagged: TaggedTable, *, is_versioned: bool) -> Iterator[DatabaseTrigger]:
    """Increment the tag of an account in place: SQLite has one writer, so no other transaction waits for it.

    Not by an upsert: in a trigger, the conflict rule of the outer statement (INSERT OR IGNORE) would win over its own.
    """
    for event, rows in (("INSERT", ("NEW",)), ("UPDATE", ("NEW", "OLD")), ("DELETE", ("OLD",))):
        name = f"{TAGS_PREFIX}{tagged.tag}_{tagged.table}_{event.lower()}"
        # The version trigger updates the row a second time, which must not count twice.
        when = "WHEN NEW.row_version <= OLD.row_version " if is_versioned and event == "UPDATE" else ""
        body = "".join(_sqlite_increment(tagged, row, "" if row == rows[0] else _moved(tagged)) for row in rows)
        text = f'CREATE TRIGGER "{name}" AFTER {event} ON "{tagged.table}" FOR EACH ROW {when}BEGIN {body}END'
        yield DatabaseTrigger(name, tagged.table, frozenset({tagged.owner}), (text,), _tables(tagged))


def _moved(tagged: TaggedTable) -> str:
    return f" AND OLD.{tagged.owner} IS NOT NEW.{tagged.owner}"


def _sqlite_increment(tagged: TaggedTable, row: str, condition: str) -> str:
    account = _account_sql(tagged, row)
    found = f"account = {account} AND tag = '{tagged.tag}'"
    return (
        f"INSERT INTO {TAG_TABLE} (account, tag, version) SELECT {account}, '{tagged.tag}', 0 "
        f"WHERE {account} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {TAG_TABLE} WHERE {found}){condition}; "
        f"UPDATE {TAG_TABLE} SET version = version + 1 + abs(random() % {_MAX_STEP}) "
        f"WHERE {found}{condition}; "
    )


def _postgres_tag_triggers(tagged: TaggedTable) -> Iterator[DatabaseTrigger]:
    """Insert an increment for each account that a statement touched; `compact_tag_increments` adds them up."""
    for event, tables in (("INSERT", ("new_rows",)), ("UPDATE", ("new_rows", "old_rows")), ("DELETE", ("old_rows",))):
        name = f"{TAGS_PREFIX}{tagged.tag}_{tagged.table}_{event.lower()}"
        account = _account_sql(tagged, "r", lambda column: f"replace({column}::text, '-', '')")
        union = " UNION ".join(f"SELECT {account} AS account FROM {table} AS r" for table in tables)
        body = (
            f"INSERT INTO {INCREMENT_TABLE} (account, tag, amount) "
            f"SELECT account, '{tagged.tag}', 1 + floor(random() * {_MAX_STEP})::bigint "
            f"FROM ({union}) AS touched WHERE account IS NOT NULL"
        )
        referencing = " ".join(f"{table[:3].upper()} TABLE AS {table}" for table in tables)
        function = (
            f'CREATE OR REPLACE FUNCTION "{name}"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN '
            f"{body}; RETURN NULL; END $$"
        )
        text = (
            f'CREATE TRIGGER "{name}" AFTER {event} ON "{tagged.table}" REFERENCING {referencing} '
            f'FOR EACH STATEMENT EXECUTE FUNCTION "{name}"()'
        )
        yield DatabaseTrigger(name, tagged.table, frozenset({tagged.owner}), (function, text), _tables(tagged))


def _tables(tagged: TaggedTable) -> frozenset[str]:
    return frozenset({TAG_TABLE, INCREMENT_TABLE, *filter(None, [tagged.parent])})
