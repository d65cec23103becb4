"""Which rows show in which answers: a family of rows of one account is one tag."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from django.db.models import Model

from core.registry import Registry

AnyModel = TypeVar("AnyModel", bound=Model)

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


families = Registry[tuple[str, str], Family]("cache tag", key=lambda family: (family.name, family.table))


def cache_family(
    name: str, *, owner: str, through: type[Model] | None = None, through_owner: str = "owner_id"
) -> Callable[[type[AnyModel]], type[AnyModel]]:
    """Have every change of the decorated model's rows raise the tag of their account.

    owner: the column with the account's id; with `through`, the column with the id of a row of that model, whose
    `through_owner` is the account.
    """

    def decorate(model: type[AnyModel]) -> type[AnyModel]:
        parent = through._meta.db_table if through else ""
        families.register(Family(name, model._meta.db_table, owner, parent, through_owner if through else ""))
        return model

    return decorate
