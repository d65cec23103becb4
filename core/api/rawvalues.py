"""What columns hold, as clients see it: straight from the driver's values, without a field of Django's in between.

Each database has its own values of times, ids and documents; whoever shapes rows takes them through one of these.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol
from uuid import UUID

import orjson

from core.api.renderers import format_time
from core.ids import encode_id, encode_number

_WITH_MICROSECONDS, _WHOLE_SECONDS = len("2026-11-23 16:00:00.000000"), len("2026-11-23 16:00:00")


class Values(Protocol):
    """Reads the values of one kind of row. None stays None."""

    def time(self, value: Any) -> str | None:
        """Return a time as the API writes it."""

    def public_id(self, prefix: str, value: Any) -> str | None:
        """Return an id as clients see it."""

    def document(self, value: Any) -> Any:
        """Return a JSON document; whoever changes it changes his own."""

    def edge(self, value: Any, pk: Any) -> tuple[datetime, UUID]:
        """Return a time and a primary key as a cursor has them."""


class DjangoValues:
    """Those of Django's own queries."""

    time = staticmethod(format_time)

    def public_id(self, prefix: str, value: UUID | None) -> str | None:
        """Return an id as clients see it."""
        return None if value is None else encode_id(prefix, value)

    def document(self, value: Any) -> Any:
        """Return the document, which Django has read."""
        return value

    def edge(self, value: datetime, pk: UUID) -> tuple[datetime, UUID]:
        """Return both as they are."""
        return value, pk


class NativeValues(DjangoValues):
    """Those of a database with types of its own for times and ids; documents come as text."""

    def document(self, value: str | None) -> Any:
        """Return the document."""
        return read_document(value)


class TextValues:
    """Those of SQLite, as text: `selected` keeps its converters away from times, which are text in the end again."""

    def time(self, value: str | None) -> str | None:
        """Return a time as the API writes it."""
        if value is None:
            return None
        if len(value) == _WITH_MICROSECONDS:
            return f"{value[:10]}T{value[11:]}Z"
        if len(value) == _WHOLE_SECONDS:
            return f"{value[:10]}T{value[11:]}.000000Z"
        return format_time(_moment(value))

    def public_id(self, prefix: str, value: str | None) -> str | None:
        """Return an id as clients see it."""
        return None if value is None else _public_id_of_text(prefix, value)

    def document(self, value: str | None) -> Any:
        """Return the document."""
        return read_document(value)

    def edge(self, value: str, pk: str) -> tuple[datetime, UUID]:
        """Return both as Django would read them."""
        return _moment(value), UUID(pk)


def values_of(vendor: str) -> Values:
    """Return the reader of what a database's driver gives."""
    return _TEXT if vendor == "sqlite" else _NATIVE


def read_document(text: str | None) -> Any:
    """Return the value of a JSON text that Django's encoder wrote: what ends in the same bytes again."""
    if text is None:
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        # Infinities and the like, which are not JSON to everybody.
        return json.loads(text)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


@lru_cache(maxsize=4096)
def _public_id_of_text(prefix: str, text: str) -> str:
    return encode_number(prefix, int(text, 16))


_TEXT, _NATIVE = TextValues(), NativeValues()
