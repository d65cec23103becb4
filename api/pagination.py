"""Pagination of lists: pages with totals in version 1, cursors without totals from version 2."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import orjson
from django.core.exceptions import FieldError, ValidationError
from django.db.models import Q, QuerySet
from django.http import QueryDict
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.exceptions import InvalidParameter

MAX_ROWS = 100
DEFAULT_ROWS = 25
MAX_PAGES = 1_000_000


def whole_number(query: QueryDict, name: str, default: int, maximum: int) -> int:
    """Return a query parameter from 1 to `maximum`, or raise InvalidParameter."""
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or not 1 <= int(text) <= maximum:
        raise InvalidParameter(name, f"{name} must be a whole number from 1 to {maximum}.")
    return int(text)


def chosen_ordering(query: QueryDict, view: APIView) -> str:
    """Return the requested ordering; raise InvalidParameter unless the view's `ordering_fields` allow it."""
    default: str = getattr(view, "ordering", "-created_at")
    ordering = query.get("ordering", default)
    allowed = getattr(view, "ordering_fields", ("created_at",))
    if ordering.removeprefix("-") not in allowed:
        choices = ", ".join(sorted(f"{sign}{field}" for field in allowed for sign in ("", "-")))
        raise InvalidParameter("ordering", f"ordering must be one of: {choices}.")
    return ordering


@dataclass(frozen=True, slots=True)
class Cursor:
    """A position in a list. value, pk: of the row at the edge; forward: the direction from it."""

    ordering: str
    forward: bool
    value: str
    pk: str

    @classmethod
    def at(cls, row: Any, ordering: str, *, forward: bool) -> Cursor:
        """Return the position of a row in an ordering."""
        value = getattr(row, ordering.removeprefix("-"))
        text = value.isoformat() if hasattr(value, "isoformat") else str(value)
        return cls(ordering, forward, text, str(row.id))

    def encode(self) -> str:
        """Return the opaque text that clients send back."""
        raw = orjson.dumps([self.ordering, self.forward, self.value, self.pk])
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    @classmethod
    def decode(cls, text: str) -> Cursor:
        """Parse the text of `encode`; raise ValueError if it is malformed."""
        try:
            parts = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        except (binascii.Error, UnicodeError) as error:
            raise ValueError("not a cursor") from error
        shape = [type(part) for part in parts] if isinstance(parts, list) else []
        if shape != [str, bool, str, str]:
            raise ValueError("not a cursor")
        return cls(*parts)


class PagePagination(BasePagination):
    """Version 1: `?page=&per_page=` with totals."""

    query_params = frozenset({"page", "per_page", "ordering"})

    def paginate_queryset(  # type: ignore[override]  # our lists are querysets
        self, queryset: QuerySet[Any], request: Request, view: APIView | None = None
    ) -> list[Any]:
        """Return the rows of the page; a page past the end is empty."""
        assert view is not None
        self.per_page = whole_number(request.query_params, "per_page", DEFAULT_ROWS, MAX_ROWS)
        self.page = whole_number(request.query_params, "page", 1, MAX_PAGES)
        ordering = chosen_ordering(request.query_params, view)
        self.total = queryset.count()
        start = (self.page - 1) * self.per_page
        sign = "-" if ordering.startswith("-") else ""
        return list(queryset.order_by(ordering, f"{sign}pk")[start : start + self.per_page])

    def get_paginated_response(self, data: Any) -> Response:
        """Return the body of version 1."""
        pages = -(-self.total // self.per_page)
        numbers = {"page": self.page, "per_page": self.per_page, "total": self.total, "total_pages": pages}
        return Response({"data": data, "pagination": numbers})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return the OpenAPI schema of the body."""
        numbers = ("page", "per_page", "total", "total_pages")
        return {
            "type": "object",
            "required": ["data", "pagination"],
            "properties": {
                "data": schema,
                "pagination": {
                    "type": "object",
                    "required": list(numbers),
                    "properties": {name: {"type": "integer"} for name in numbers},
                },
            },
        }

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        """Return the OpenAPI parameters."""
        return [_parameter("page", 1, None), _parameter("per_page", 1, MAX_ROWS), _ordering_parameter(view)]


class CursorPagination(BasePagination):
    """Version 2: `?cursor=&limit=`, by keyset: stable under inserts and deletes, the last page as fast as the first."""

    query_params = frozenset({"cursor", "limit", "ordering"})

    def paginate_queryset(  # type: ignore[override]  # our lists are querysets
        self, queryset: QuerySet[Any], request: Request, view: APIView | None = None
    ) -> list[Any]:
        """Return the rows after (or before) the cursor; raise InvalidParameter if it is malformed."""
        assert view is not None
        self.request = request
        self.limit = whole_number(request.query_params, "limit", DEFAULT_ROWS, MAX_ROWS)
        self.ordering = chosen_ordering(request.query_params, view)
        self.cursor = self._read_cursor(request.query_params)
        forward = self.cursor is None or self.cursor.forward
        if self.cursor is not None:
            queryset = self._beyond(queryset, self.cursor)
        descending = self.ordering.startswith("-") == forward
        sign = "-" if descending else ""
        field = self.ordering.removeprefix("-")
        # One extra row shows whether there are more.
        found = list(queryset.order_by(f"{sign}{field}", f"{sign}pk")[: self.limit + 1])
        has_more_that_way = len(found) > self.limit
        rows = found[: self.limit] if forward else found[: self.limit][::-1]
        self.has_more = has_more_that_way if forward else True
        has_previous = self.cursor is not None if forward else has_more_that_way
        self.next_cursor = Cursor.at(rows[-1], self.ordering, forward=True).encode() if rows and self.has_more else None
        self.prev_cursor = Cursor.at(rows[0], self.ordering, forward=False).encode() if rows and has_previous else None
        return rows

    def _read_cursor(self, query: QueryDict) -> Cursor | None:
        text = query.get("cursor")
        if text is None:
            return None
        try:
            cursor = Cursor.decode(text)
        except ValueError as error:
            raise InvalidParameter("cursor", "cursor must be one that this list has returned.") from error
        if cursor.ordering != self.ordering:
            raise InvalidParameter("cursor", "cursor belongs to another ordering.")
        return cursor

    def _beyond(self, queryset: QuerySet[Any], cursor: Cursor) -> QuerySet[Any]:
        field = self.ordering.removeprefix("-")
        step = "lt" if self.ordering.startswith("-") == cursor.forward else "gt"
        try:
            value = queryset.model._meta.get_field(field).to_python(cursor.value)
            if isinstance(value, datetime):
                value = value.astimezone(UTC)
            pk = queryset.model._meta.pk.to_python(cursor.pk)
            # The first condition is implied by the second; it lets the database use the index as a range.
            return queryset.filter(
                Q(**{f"{field}__{step}e": value}), Q(**{f"{field}__{step}": value}) | Q(**{f"pk__{step}": pk})
            )
        except (ValidationError, FieldError, ValueError, OverflowError) as error:
            raise InvalidParameter("cursor", "cursor must be one that this list has returned.") from error

    def get_paginated_response(self, data: Any) -> Response:
        """Return the body of version 2, with its links in the Link header too (RFC 8288)."""
        query = self.request.query_params.dict()
        links = [
            f'<{self.request.path}?{urlencode({**query, "cursor": cursor})}>; rel="{relation}"'
            for relation, cursor in (("next", self.next_cursor), ("prev", self.prev_cursor))
            if cursor is not None
        ]
        body = {
            "object": "list",
            "data": data,
            "has_more": self.has_more,
            "next_cursor": self.next_cursor,
            "prev_cursor": self.prev_cursor,
        }
        return Response(body, headers={"Link": ", ".join(links)} if links else {})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return the OpenAPI schema of the body."""
        cursor = {"type": "string", "nullable": True}
        return {
            "type": "object",
            "required": ["object", "data", "has_more", "next_cursor", "prev_cursor"],
            "properties": {
                "object": {"type": "string", "enum": ["list"]},
                "data": schema,
                "has_more": {"type": "boolean"},
                "next_cursor": cursor,
                "prev_cursor": cursor,
            },
        }

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        """Return the OpenAPI parameters."""
        cursor = {"name": "cursor", "in": "query", "required": False, "schema": {"type": "string"}}
        return [cursor, _parameter("limit", 1, MAX_ROWS), _ordering_parameter(view)]


def _parameter(name: str, minimum: int, maximum: int | None) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer", "minimum": minimum}
    if maximum is not None:
        schema["maximum"] = maximum
    return {"name": name, "in": "query", "required": False, "schema": schema}


def _ordering_parameter(view: APIView) -> dict[str, Any]:
    allowed = getattr(view, "ordering_fields", ("created_at",))
    choices = sorted(f"{sign}{field}" for field in allowed for sign in ("", "-"))
    return {"name": "ordering", "in": "query", "required": False, "schema": {"type": "string", "enum": choices}}
