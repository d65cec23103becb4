"""Places in a list, and the part of an answer that leads from one page to the next."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson
from django.http import QueryDict


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a list. value, pk: of the row at the edge; forward: which way to go from it."""

    ordering: str
    forward: bool
    value: str
    pk: str

    def encode(self) -> str:
        """Return the opaque text that clients send back."""
        raw = orjson.dumps([self.ordering, self.forward, self.value, self.pk])
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    @classmethod
    def decode(cls, text: str) -> Cursor:
        """Raise ValueError unless `text` has the shape that `encode` writes."""
        try:
            parts = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        except (binascii.Error, UnicodeError) as error:
            raise ValueError("not a cursor") from error
        shape = [type(part) for part in parts] if isinstance(parts, list) else []
        if shape != [str, bool, str, str]:
            raise ValueError("not a cursor")
        return cls(*parts)


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of one page, and the cursors to its neighbours."""

    rows: list[Any]
    has_more: bool
    next_cursor: str | None
    prev_cursor: str | None

    def body(self, data: Any) -> dict[str, Any]:
        """Return the body of version 2. data: the rows as clients see them."""
        return {
            "object": "list",
            "data": data,
            "has_more": self.has_more,
            "next_cursor": self.next_cursor,
            "prev_cursor": self.prev_cursor,
        }

    def headers(self, path: str, query: QueryDict) -> dict[str, str]:
        """Return the same links as a header (RFC 8288), none where there are no neighbours."""
        links: list[str] = []
        for relation, cursor in (("next", self.next_cursor), ("prev", self.prev_cursor)):
            if cursor is not None:
                parameters = {**query.dict(), "cursor": cursor}
                links.append(f'<{path}?{urlencode(list(parameters.items()))}>; rel="{relation}"')
        return {"Link": ", ".join(links)} if links else {}


def make_page(
    found: list[Any], *, limit: int, ordering: str, cursor: Cursor | None, edge: Callable[[Any], tuple[Any, Any]]
) -> Page:
    """Return the page of rows that were read from a cursor on, in the direction of the cursor, one more than fit.

    edge: tells by which value and primary key a row is found again.
    """
    forward = cursor is None or cursor.forward
    more = len(found) > limit
    rows = found[:limit]
    if not forward:
        rows.reverse()
    has_more = more if forward else True
    has_previous = cursor is not None if forward else more

    def place(row: Any, *, forward: bool) -> str:
        value, pk = edge(row)
        text = value.isoformat() if hasattr(value, "isoformat") else str(value)
        return Cursor(ordering, forward, text, str(pk)).encode()

    return Page(
        rows,
        has_more,
        place(rows[-1], forward=True) if rows and has_more else None,
        place(rows[0], forward=False) if rows and has_previous else None,
    )


def numbered_body(data: Any, *, page: int, per_page: int, total: int) -> dict[str, Any]:
    """Return the body of a list in version 1."""
    pages = -(-total // per_page)
    return {
        "data": data,
        "pagination": {"page": page, "per_page": per_page, "total": total, "total_pages": pages},
    }
