"""JSON limits, checked before the data is read as an edit."""

from __future__ import annotations

import math
import re
from typing import Any

from engine.errors import EditInvalid
from engine.issues import Issue, pointer

MAX_DEPTH = 64
MAX_CHARACTERS = 8_000_000
MAX_INTEGER = 2**63
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

JsonPath = tuple[str | int, ...]


def check_json(data: Any) -> None:
    """Raise EditInvalid if the data is not plain JSON, too deep, too large, or cannot be stored."""
    budget = MAX_CHARACTERS
    waiting: list[tuple[JsonPath, Any]] = [((), data)]
    while waiting:
        path, value = waiting.pop()
        if len(path) > MAX_DEPTH:
            raise _refusal(path[:8], "too_deep", f"The edit is nested more than {MAX_DEPTH} levels deep.")
        budget -= json_size(value)
        if budget < 0:
            raise _refusal((), "too_large", f"The edit has more than {MAX_CHARACTERS:,} characters.")
        if isinstance(value, dict):
            for key in value:
                _check_leaf(path, key, key_of_object=True)
            waiting.extend(((*path, key), item) for key, item in value.items())
        elif isinstance(value, list | tuple):
            waiting.extend(((*path, index), item) for index, item in enumerate(value))
        else:
            _check_leaf(path, value)


def json_size(value: Any) -> int:
    """Return the approximate number of characters of a value in JSON, without its contents."""
    if isinstance(value, str):
        return len(value) + 3
    if isinstance(value, dict):
        return 2 + sum(len(key) + 4 for key in value if isinstance(key, str))
    return 6


def _check_leaf(path: JsonPath, value: Any, *, key_of_object: bool = False) -> None:
    """Raise EditInvalid for a text or number that JSON or a database cannot hold."""
    if key_of_object and not isinstance(value, str):
        raise _refusal(path, "invalid_type", "The keys of an object must be text.")
    if isinstance(value, str):
        if _UNSTORABLE.search(value):
            raise _refusal(path, "invalid_value", "Text may hold neither NUL nor lone surrogates.")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise _refusal(path, "invalid_value", "NaN and Infinity are not JSON.")
    elif isinstance(value, int):
        if abs(value) >= MAX_INTEGER:
            raise _refusal(path, "out_of_range", "This number is too large.")
    elif value is not None:
        raise _refusal(path, "invalid_type", "This is not a JSON value.")


def _refusal(path: JsonPath, code: str, detail: str) -> EditInvalid:
    return EditInvalid([Issue(pointer(*path), code, detail)])
