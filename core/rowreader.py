"""Read rows by SQL that is written once, where Django would build the same query anew at every request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import JSONField, Model
from django.db.models.base import ModelState

# The same few rows are read over and over: those of the keys that are in use.
ROWS_REMEMBERED = 512
Row = TypeVar("Row", bound=Model)
_Converter = Callable[[Any], Any]


class RowReader(Generic[Row]):
    """Turns the columns of a table into instances of its model, as Django's own queries do."""

    def __init__(self, model: type[Row], alias: str, fields: Sequence[str] = ()) -> None:
        """alias: of the table in the SQL. fields: attribute names of columns, all by default."""
        self._model = model
        wanted = [field for field in model._meta.concrete_fields if not fields or field.attname in fields]
        self.names = [field.attname for field in wanted]
        # On SQLite a sign takes the declared type from a column, by which its driver would convert each value anew;
        # what the row says is converted below, once.
        sign = "+" if connection.vendor == "sqlite" else ""
        self.columns = ", ".join(f'{sign}{alias}."{field.column}"' for field in wanted)
        self._converters: list[tuple[int, _Converter]] = []
        self._documents: list[tuple[int, _Converter]] = []
        for index, field in enumerate(wanted):
            column = field.get_col(field.model._meta.db_table)
            converters = self._documents if isinstance(field, JSONField) else self._converters
            for convert in (*connection.ops.get_db_converters(column), *field.get_db_converters(connection)):
                converters.append((index, _bound(convert, column)))
        self._remembered = lru_cache(maxsize=ROWS_REMEMBERED)(self._converted)

    def values(self, row: Sequence[Any]) -> list[Any]:
        """Return what the columns hold, in the order of `names`; what follows them in the row is left out."""
        found = list(self._remembered(tuple(row[: len(self.names)])))
        # Made anew for everybody: whoever changes a list changes his own.
        for index, convert in self._documents:
            found[index] = convert(found[index])
        return found

    def _converted(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return a row with what cannot be changed, such as times and ids, converted: the same for the same row."""
        found = list(row)
        for index, convert in self._converters:
            found[index] = convert(found[index])
        return tuple(found)

    def instance(self, row: Sequence[Any]) -> Row:
        """Return the instance of a row, with all its columns or, of the others, none: they are read when asked for.

        What `from_db` makes, without its care for signals and for fields of every kind: a request makes two of them.
        """
        made = self._model.__new__(self._model)
        state = ModelState()
        state.db, state.adding = connection.alias, False
        made.__dict__.update(zip(self.names, self.values(row), strict=True), _state=state)
        return made


def _bound(convert: Callable[..., Any], column: Any) -> _Converter:
    def apply(value: Any) -> Any:
        return convert(value, column, connection)

    return apply
