"""Which rows show in which answers: a family of rows of one account is one tag."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Model

# The tag of all accounts: raised by `clear_cache`, and after a time in which changes were not followed.
EVERYTHING = "everything"


@dataclass(frozen=True, slots=True)
class Family:
    """Rows of a table under one name.

    owner: the column with the account's id; or, where parent names a table, the column with the id of a row there,
    whose `parent_owner` is the account.
    """

    name: str
    table: str
    owner: str
    parent: str = ""
    parent_owner: str = ""


_families: dict[tuple[str, str], Family] = {}


def register_family(
    name: str, model: type[Model], *, owner: str, through: type[Model] | None = None, through_owner: str = "owner_id"
) -> None:
    """Have every change of a model's rows raise the tag of their account. Register in `AppConfig.ready()`.

    owner: the column with the account's id; with `through`, the column with the id of a row of that model, whose
    `through_owner` is the account.
    """
    table = model._meta.db_table
    parent = through._meta.db_table if through else ""
    _families[name, table] = Family(name, table, owner, parent, through_owner if through else "")


def families() -> list[Family]:
    """Return all of them."""
    return list(_families.values())
