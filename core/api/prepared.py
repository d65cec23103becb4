"""Lists whose SQL is written once, where Django would build, compile and convert the same query at every request.

    class ProjectViewSet(ApiViewSet):
        prepared_lists = {"list": PreparedList(Project, COLUMNS, project_shaper, filters={"status": one_of(...)})}

What a request asks for beyond the usual (a parameter that is not named here, another way to write a time, a value that
may have to be refused) gets no plan, and the view answers by its queryset as ever; both ways end in the same bytes.
`tests/core/test_prepared_lists.py` compares them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import DateTimeField, Model
from django.http import HttpRequest, QueryDict
from rest_framework.request import Request

from core.api.addresses import base_url
from core.api.cursors import Cursor, Page, make_page, numbered_body
from core.api.pagination import DEFAULT_ROWS, MOST_PAGES, MOST_ROWS, whole_number
from core.api.rawvalues import Values, values_of
from core.database import fetch_row, fetch_rows
from core.exceptions import InvalidParameter
from core.ids import decode_id

# What is longer is rare, and would let anybody fill the memory.
LONGEST_QUERY = 400
PLANS_REMEMBERED = 1024
ORDERINGS = frozenset({"created_at", "-created_at"})
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}|\.\d{6})?Z", re.ASCII)
_WORD = re.compile(r"[a-z0-9_.]+", re.ASCII)
Shape = Callable[[Sequence[Any]], dict[str, Any]]
# Takes scheme and host of links, the version, and the reader of the rows' values.
Shaper = Callable[[str, int, Values], Shape]


class Unusual(Exception):
    """The request is for the view to judge."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What the rows of a list have in common. column: attribute name; operator: as SQL writes it, `IS` for NULL."""

    column: str
    operator: str
    values: tuple[Any, ...]


Filter = Callable[[str], Condition]


def one_of(column: str, choices: Iterable[str]) -> Filter:
    """Return the filter `status=queued,rendering`."""
    known = frozenset(choices)

    def read(text: str) -> Condition:
        values = tuple(text.split(","))
        if not known.issuperset(values):
            raise Unusual
        return Condition(column, "IN", values)

    return read


def named(column: str, values: Mapping[str, Any]) -> Filter:
    """Return the filter of a column that holds something else than the name that clients know."""

    def read(text: str) -> Condition:
        if text not in values:
            raise Unusual
        return Condition(column, "=", (values[text],))

    return read


def reference(column: str, prefix: str) -> Filter:
    """Return the filter `project=prj_...`."""

    def read(text: str) -> Condition:
        try:
            return Condition(column, "=", (decode_id(prefix, text),))
        except ValueError:
            raise Unusual from None

    return read


def texts(column: str) -> Filter:
    """Return the filter `kind=render.succeeded,render.failed` of a column that may have any text."""

    def read(text: str) -> Condition:
        values = tuple(text.split(","))
        if not all(map(_WORD.fullmatch, values)):
            raise Unusual
        return Condition(column, "IN", values)

    return read


def is_missing(column: str) -> Filter:
    """Return the filter `unread=true`: rows without a value."""

    def read(text: str) -> Condition:
        if text not in {"true", "false"}:
            raise Unusual
        return Condition(column, "IS" if text == "true" else "IS NOT", ())

    return read


def moment(column: str, operator: str) -> Filter:
    """Return the filter `created_at__gte=2026-11-23T16:00:00Z`."""

    def read(text: str) -> Condition:
        if not _TIME.fullmatch(text):
            raise Unusual
        try:
            return Condition(column, operator, (datetime.fromisoformat(text),))
        except ValueError:
            raise Unusual from None

    return read


_TIMES = {"created_at__gte": moment("created_at", ">="), "created_at__lt": moment("created_at", "<")}


@dataclass(frozen=True, slots=True)
class Plan:
    """One page of a list, ready to be read for whoever asks. params: those after the owner's, of each statement.

    count_sql: version 1 alone; number, cursor: of the page in version 1 or from version 2.
    """

    sql: str
    params: tuple[Any, ...]
    limit: int
    ordering: str
    cursor: Cursor | None = None
    count_sql: str = ""
    count_params: tuple[Any, ...] = ()
    number: int = 1


@dataclass(frozen=True, slots=True)
class Asked:
    """What an answer depends on besides its rows. path, query: as sent; base: scheme and host of its links."""

    owner_id: UUID
    version: int
    path: str
    query: str
    base: str

    @classmethod
    def by(cls, request: Request | HttpRequest, *, version: int) -> Asked:
        """Return what a request asks for. Somebody must have been authenticated."""
        account: Any = request.user
        return cls(account.pk, version, request.path, request.META.get("QUERY_STRING", ""), base_url(request))


@dataclass(frozen=True, slots=True)
class Answer:
    """A list's body and the headers that belong to it."""

    data: dict[str, Any]
    headers: dict[str, str]


@dataclass(frozen=True, eq=False)
class PreparedList:
    """A list of rows of one owner.

    columns: attribute names, with `id` and `created_at` among them; shaper: makes of them what clients see.
    filters: parameter -> filter, besides those that every list has. owner: attribute name of the owner's column.
    computed: expressions in SQL whose values follow those of the columns; the table has its own name there.
    """

    model: type[Model]
    columns: tuple[str, ...]
    shaper: Shaper
    filters: Mapping[str, Filter] = field(default_factory=dict)
    owner: str = "owner_id"
    computed: tuple[str, ...] = ()

    def plan(self, query: str, version: int) -> Plan | None:
        """Return how to read what a query string asks for; None where the view has to judge it."""
        if len(query) > LONGEST_QUERY or not query.isascii():
            return None
        return _plan_of(self, connection.vendor, version, query)

    def answer(self, asked: Asked) -> Answer | None:
        """Return the answer; costs one query, two in version 1. None where the view has to make it.

        Raises DatabaseError.
        """
        plan = self.plan(asked.query, asked.version)
        return None if plan is None else self.read(plan, asked)

    def read(self, plan: Plan, asked: Asked) -> Answer:
        """Return the answer to what `plan` was made for.

        Raises DatabaseError.
        """
        values = values_of(connection.vendor)
        owner: Any = asked.owner_id if connection.features.has_native_uuid_field else asked.owner_id.hex
        shape = self.shaper(asked.base, asked.version, values)
        total = 0
        if plan.count_sql:
            counted = fetch_row(plan.count_sql, (owner, *plan.count_params))
            total = counted[0] if counted else 0
        found = fetch_rows(plan.sql, (owner, *plan.params))
        if plan.count_sql:
            data = [shape(row) for row in found]
            return Answer(numbered_body(data, page=plan.number, per_page=plan.limit, total=total), {})
        page = self._page(plan, found, values)
        headers = page.headers(asked.path, QueryDict(asked.query))
        return Answer(page.body([shape(row) for row in page.rows]), headers)

    def _page(self, plan: Plan, found: list[Any], values: Values) -> Page:
        value, pk = self.columns.index("created_at"), self.columns.index("id")

        def edge(row: Sequence[Any]) -> tuple[Any, Any]:
            return values.edge(row[value], row[pk])

        return make_page(found, limit=plan.limit, ordering=plan.ordering, cursor=plan.cursor, edge=edge)


@lru_cache(maxsize=PLANS_REMEMBERED)
def _plan_of(listed: PreparedList, vendor: str, version: int, query: str) -> Plan | None:
    """Return the plan of a query string. vendor: part of the key alone, as the connection is of that kind."""
    try:
        return _Planner(listed, QueryDict(query)).plan(version)
    except (Unusual, InvalidParameter, ValueError, OverflowError):
        return None


class _Planner:
    """Writes the SQL of one query string; whatever is not quite usual raises."""

    def __init__(self, listed: PreparedList, query: QueryDict) -> None:
        given = query.lists()
        if any(len(values) > 1 or not values[0] or "\x00" in values[0] for _, values in given):
            raise Unusual
        self._listed, self._query = listed, query
        self._meta = listed.model._meta
        self._where = [f"{self._column(listed.owner)} = %s"]
        self._params: list[Any] = []

    def plan(self, version: int) -> Plan:
        """Return the plan."""
        paging = {"page", "per_page"} if version == 1 else {"cursor", "limit"}
        filters = {**_TIMES, **self._listed.filters}
        for name, values in self._query.lists():
            if name in filters:
                self._add(filters[name](values[0]))
            elif name not in paging and name not in {"ordering", "api_version"}:
                raise Unusual
        ordering = self._query.get("ordering", "-created_at")
        if ordering not in ORDERINGS:
            raise Unusual
        return self._numbered(ordering) if version == 1 else self._by_cursor(ordering)

    def _numbered(self, ordering: str) -> Plan:
        limit = whole_number(self._query, "per_page", DEFAULT_ROWS, MOST_ROWS)
        number = whole_number(self._query, "page", 1, MOST_PAGES)
        count = f"SELECT COUNT(*) FROM {_quoted(self._meta.db_table)} WHERE {' AND '.join(self._where)}"  # noqa: S608 - as below
        sql = f"{self._select(ordering, limit)} OFFSET {(number - 1) * limit}"
        params = tuple(self._params)
        return Plan(sql, params, limit, ordering, count_sql=count, count_params=params, number=number)

    def _by_cursor(self, ordering: str) -> Plan:
        limit = whole_number(self._query, "limit", DEFAULT_ROWS, MOST_ROWS)
        text = self._query.get("cursor")
        cursor = None if text is None else Cursor.decode(text)
        if cursor is not None:
            self._add_edge(cursor, ordering)
        forward = cursor is None or cursor.forward
        direction = ordering if forward else _reverse(ordering)
        return Plan(self._select(direction, limit + 1), tuple(self._params), limit, ordering, cursor)

    def _add_edge(self, cursor: Cursor, ordering: str) -> None:
        """Add the two conditions of `CursorPagination`; only for cursors as we write them."""
        value = datetime.fromisoformat(cursor.value)
        if cursor.ordering != ordering or value.tzinfo is None or str(UUID(cursor.pk)) != cursor.pk:
            raise Unusual
        value = value.astimezone(UTC)
        sign = "<" if ordering.startswith("-") == cursor.forward else ">"
        self._add(Condition("created_at", f"{sign}=", (value,)))
        created_at, pk = self._column("created_at"), self._column("id")
        self._where.append(f"({created_at} {sign} %s OR {pk} {sign} %s)")
        self._params += [self._stored("created_at", value), self._stored("id", UUID(cursor.pk))]

    def _add(self, condition: Condition) -> None:
        column = self._column(condition.column)
        if condition.operator in {"IS", "IS NOT"}:
            self._where.append(f"{column} {condition.operator} NULL")
            return
        places = ", ".join(["%s"] * len(condition.values))
        given = f"({places})" if condition.operator == "IN" else places
        self._where.append(f"{column} {condition.operator} {given}")
        self._params += map(partial(self._stored, condition.column), condition.values)

    def _stored(self, name: str, value: Any) -> Any:
        return self._field(name).get_db_prep_value(value, connection)

    def _select(self, ordering: str, limit: int) -> str:
        columns = ", ".join([*map(self._selected, self._listed.columns), *self._listed.computed])
        direction = "DESC" if ordering.startswith("-") else "ASC"
        return (
            f"SELECT {columns} FROM {_quoted(self._meta.db_table)} WHERE {' AND '.join(self._where)} "  # noqa: S608 - names of columns
            f"ORDER BY {self._column('created_at')} {direction}, {self._column('id')} {direction} LIMIT {limit}"
        )

    def _selected(self, name: str) -> str:
        # To SQLite's driver a column of times is one to convert, an expression is not.
        is_time = isinstance(self._field(name), DateTimeField) and connection.vendor == "sqlite"
        return f"{'+' if is_time else ''}{self._column(name)}"

    def _column(self, name: str) -> str:
        return f"{_quoted(self._meta.db_table)}.{_quoted(self._field(name).column)}"

    def _field(self, name: str) -> Any:
        return next(field for field in self._meta.concrete_fields if field.attname == name)


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)


def _reverse(ordering: str) -> str:
    return ordering.removeprefix("-") if ordering.startswith("-") else f"-{ordering}"
