"""Cursors: places in a list, as clients send them back."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a list. value, pk: of the row at the edge; forward: which way to go from it."""

    ordering: str
    forward: bool
    value: str
    pk: str

    @classmethod
    def at(cls, row: Any, ordering: str, *, forward: bool) -> Cursor:
        """Return the place of a row in an ordering."""
        value = getattr(row, ordering.removeprefix("-"))
        text = value.isoformat() if hasattr(value, "isoformat") else str(value)
        return cls(ordering, forward, text, str(row.id))

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
