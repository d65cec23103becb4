"""Registry of cache tags: rows of one kind and one account share one tag."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from django.db.models import Model

from core.registry import Registry

AnyModel = TypeVar("AnyModel", bound=Model)

# The tag of all responses: incremented by `clear_cache`, and after a time in which changes were not tracked.
GLOBAL_TAG = "everything"


@dataclass(frozen=True, slots=True)
class TaggedTable:
    """A table whose rows have a tag.

    owner: the column with the account's id; if `parent` names a table, the column with the id of a row there, whose
    `parent_owner` is the account.
    """

    tag: str
    table: str
    owner: str
    parent: str = ""
    parent_owner: str = ""


tagged_tables = Registry[tuple[str, str], TaggedTable]("cache tag", key=lambda tagged: (tagged.tag, tagged.table))


def cache_tagged(
    tag: str, *, owner: str, through: type[Model] | None = None, through_owner: str = "owner_id"
) -> Callable[[type[AnyModel]], type[AnyModel]]:
    """Make every change of the decorated model's rows increment the tag of their account.

    owner: the column with the account's id; with `through`, the column with the id of a row of that model, whose
    `through_owner` is the account.
    """

    def decorate(model: type[AnyModel]) -> type[AnyModel]:
        parent = through._meta.db_table if through else ""
        tagged_tables.register(TaggedTable(tag, model._meta.db_table, owner, parent, through_owner if through else ""))
        return model

    return decorate
