"""Which triggers the tables want, as SQL. Everything put into the texts is a name of our own tables and columns."""

# ruff: noqa: S608
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.apps import apps
from django.db.models import Model

from core.cache_tags.families import Family, families
from core.models import VersionedModel

PREFIX = "renderowl_"
TAGS_PREFIX = f"{PREFIX}tags_"
TAG_TABLE = "core_cachetag"
BUMP_TABLE = "core_cachebump"
_MAX_STEP = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Trigger:
    """One trigger.

    columns: of its table, that it names; tables: others that it names; statements: create it, for one vendor.
    repair: run in the same transaction where the trigger was found missing: what may have changed without it.
    """

    name: str
    table: str
    columns: frozenset[str]
    statements: tuple[str, ...]
    tables: frozenset[str] = frozenset()
    repair: str = ""


def wanted_triggers(vendor: str) -> Iterator[Trigger]:
    """Yield every trigger that the installed models want. vendor: `sqlite` or `postgresql`."""
    versioned = {model._meta.db_table for model in versioned_models()}
    for table in sorted(versioned):
        yield _version_trigger(table, vendor)
    for family in families.values():
        if vendor == "sqlite":
            yield from _sqlite_tag_triggers(family, is_versioned=family.table in versioned)
        else:
            yield from _postgres_tag_triggers(family)


def versioned_models() -> list[type[Model]]:
    """Return the models whose rows have a version."""
    return [model for model in apps.get_models() if issubclass(model, VersionedModel) and not model._meta.proxy]


def _version_trigger(table: str, vendor: str) -> Trigger:
    """Raise `row_version` at every change.

    Also where the writer sets it: a form that saves all columns of a row read earlier would put back an old number,
    under which clients hold something else. Only a higher one is let through, that of `claim_version`.
    """
    name = f"{PREFIX}version_{table}"
    repair = f'UPDATE "{table}" SET row_version = row_version + 1'
    if vendor == "sqlite":
        text = (
            f'CREATE TRIGGER "{name}" AFTER UPDATE ON "{table}" FOR EACH ROW '
            f"WHEN NEW.row_version <= OLD.row_version BEGIN "
            f'UPDATE "{table}" SET row_version = OLD.row_version + 1 WHERE rowid = NEW.rowid; END'
        )
        return Trigger(name, table, frozenset({"row_version"}), (text,), repair=repair)
    function = (
        f"CREATE OR REPLACE FUNCTION {PREFIX}raise_version() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF NEW.row_version <= OLD.row_version THEN NEW.row_version := OLD.row_version + 1; END IF; "
        f"RETURN NEW; END $$"
    )
    text = f'CREATE TRIGGER "{name}" BEFORE UPDATE ON "{table}" FOR EACH ROW EXECUTE FUNCTION {PREFIX}raise_version()'
    return Trigger(name, table, frozenset({"row_version"}), (function, text), repair=repair)


def _account_of(family: Family, row: str, as_hex: Callable[[str], str] = str) -> str:
    """Return the SQL of the id of a row's account, NULL where there is none. as_hex: SQL of a column as 32 digits."""
    owner = as_hex(f"{row}.{family.owner}")
    if family.parent:
        column = as_hex(f"p.{family.parent_owner}")
        owner = f'(SELECT {column} FROM "{family.parent}" AS p WHERE p.id = {row}.{family.owner})'
    return owner


def _sqlite_tag_triggers(family: Family, *, is_versioned: bool) -> Iterator[Trigger]:
    """Raise the tag of an account in place: SQLite has one writer, so nobody waits for it.

    Not by an upsert: in a trigger, the conflict rule of the outer statement (INSERT OR IGNORE) would win over its own.
    """
    for event, rows in (("INSERT", ("NEW",)), ("UPDATE", ("NEW", "OLD")), ("DELETE", ("OLD",))):
        name = f"{TAGS_PREFIX}{family.name}_{family.table}_{event.lower()}"
        # The trigger of the version writes the row a second time; once is enough here.
        when = "WHEN NEW.row_version <= OLD.row_version " if is_versioned and event == "UPDATE" else ""
        body = "".join(_sqlite_bump(family, row, "" if row == rows[0] else _moved(family)) for row in rows)
        text = f'CREATE TRIGGER "{name}" AFTER {event} ON "{family.table}" FOR EACH ROW {when}BEGIN {body}END'
        yield Trigger(name, family.table, frozenset({family.owner}), (text,), _tables(family))


def _moved(family: Family) -> str:
    return f" AND OLD.{family.owner} IS NOT NEW.{family.owner}"


def _sqlite_bump(family: Family, row: str, condition: str) -> str:
    account = _account_of(family, row)
    found = f"account = {account} AND family = '{family.name}'"
    return (
        f"INSERT INTO {TAG_TABLE} (account, family, generation) SELECT {account}, '{family.name}', 0 "
        f"WHERE {account} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {TAG_TABLE} WHERE {found}){condition}; "
        f"UPDATE {TAG_TABLE} SET generation = generation + 1 + abs(random() % {_MAX_STEP}) "
        f"WHERE {found}{condition}; "
    )


def _postgres_tag_triggers(family: Family) -> Iterator[Trigger]:
    """Leave a row beside the tag, one for each account that a statement touched; `fold_bumps` adds them later."""
    for event, tables in (("INSERT", ("new_rows",)), ("UPDATE", ("new_rows", "old_rows")), ("DELETE", ("old_rows",))):
        name = f"{TAGS_PREFIX}{family.name}_{family.table}_{event.lower()}"
        account = _account_of(family, "r", lambda column: f"replace({column}::text, '-', '')")
        union = " UNION ".join(f"SELECT {account} AS account FROM {table} AS r" for table in tables)
        body = (
            f"INSERT INTO {BUMP_TABLE} (account, family, amount) "
            f"SELECT account, '{family.name}', 1 + floor(random() * {_MAX_STEP})::bigint "
            f"FROM ({union}) AS touched WHERE account IS NOT NULL"
        )
        referencing = " ".join(f"{table[:3].upper()} TABLE AS {table}" for table in tables)
        made = (
            f'CREATE OR REPLACE FUNCTION "{name}"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN '
            f"{body}; RETURN NULL; END $$"
        )
        text = (
            f'CREATE TRIGGER "{name}" AFTER {event} ON "{family.table}" REFERENCING {referencing} '
            f'FOR EACH STATEMENT EXECUTE FUNCTION "{name}"()'
        )
        yield Trigger(name, family.table, frozenset({family.owner}), (made, text), _tables(family))


def _tables(family: Family) -> frozenset[str]:
    return frozenset({TAG_TABLE, BUMP_TABLE, *filter(None, [family.parent])})
