"""Interpolation of a trigger's values into texts: `{{ event.data.name }}`. Lookups only, no calls or operators.

    {{ path }}                      a value of the trigger; a missing or null value fails the run
    {{ path | default("none") }}    the same with a default: a string, number, true, false or null

A path begins with `event` or `automation`; its parts are member names or list indexes. A text that is a single
expression becomes the value with its type; otherwise strings, numbers and booleans are inserted as text. Inserted text
is not parsed again, so data cannot inject expressions.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from core.exceptions import Unprocessable

ROOTS = frozenset({"event", "automation"})
MAX_TEXT_LENGTH = 10_000
MAX_RESULT_LENGTH = 20_000
MAX_RESULT_BYTES = 64 * 1024
MAX_EXPRESSIONS = 50
MAX_PARTS = 20
MAX_DEPTH = 12
_EXPRESSION = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*)\s*(?:\|\s*default\((.*)\)\s*)?", re.DOTALL)
_MISSING = object()


class InvalidExpression(ValueError):
    """An expression that cannot be parsed; the message is for clients."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression. default: _MISSING if it has none."""

    path: tuple[str, ...]
    default: Any = _MISSING

    def __str__(self) -> str:
        return ".".join(self.path)


Part = str | Expression


def parse_text(text: str) -> list[Part]:
    """Return the text's literals and expressions, in order. Raises InvalidExpression."""
    if len(text) > MAX_TEXT_LENGTH:
        raise InvalidExpression(f"A text can have at most {MAX_TEXT_LENGTH} characters.")
    parts: list[Part] = []
    position = count = 0
    while (start := text.find("{{", position)) >= 0:
        end = _end_of(text, start + 2)
        count += 1
        if count > MAX_EXPRESSIONS:
            raise InvalidExpression(f"A text can have at most {MAX_EXPRESSIONS} expressions.")
        if start > position:
            parts.append(text[position:start])
        parts.append(_parse_expression(text[start + 2 : end]))
        position = end + 2
    if position < len(text):
        parts.append(text[position:])
    return parts


def _end_of(text: str, position: int) -> int:
    """Return the position of the closing braces, skipping those in a quoted default."""
    quoted = False
    while position < len(text):
        character = text[position]
        if quoted and character == "\\":
            position += 1
        elif character == '"':
            quoted = not quoted
        elif not quoted and text.startswith("}}", position):
            return position
        position += 1
    raise InvalidExpression("An expression that begins with {{ must end with }}.")


def _parse_expression(text: str) -> Expression:
    match = _EXPRESSION.fullmatch(text)
    if match is None:
        raise InvalidExpression('An expression must be {{ path }} or {{ path | default("...") }}.')
    path = tuple(match[1].split("."))
    if path[0] not in ROOTS:
        raise InvalidExpression(f"A path must begin with event or automation, not with {path[0][:40]}.")
    if len(path) > MAX_PARTS:
        raise InvalidExpression(f"A path can have at most {MAX_PARTS} parts.")
    return Expression(path, _MISSING if match[2] is None else _parse_default(match[2]))


def _parse_default(text: str) -> Any:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = _MISSING
    if isinstance(value, float) and not math.isfinite(value):
        value = _MISSING
    if value is _MISSING or isinstance(value, dict | list):
        raise InvalidExpression("A default must be a string in double quotes, a number, true, false or null.")
    if isinstance(value, str) and "\x00" in value:
        raise InvalidExpression("The NUL character is not allowed.")
    return value


def find_invalid_expressions(value: Any, pointer: str = "", depth: int = 0) -> Iterator[dict[str, str]]:
    """Yield the errors in the expressions of a JSON value, without interpolating it."""
    if depth > MAX_DEPTH:
        yield _problem(pointer, "too_deep", f"Values may be nested at most {MAX_DEPTH} deep.")
    elif isinstance(value, str):
        try:
            parse_text(value)
        except InvalidExpression as error:
            yield _problem(pointer, "malformed_expression", str(error))
    else:
        for name, child in _children(value):
            yield from find_invalid_expressions(child, f"{pointer}/{_escaped(name)}", depth + 1)


@dataclass(slots=True)
class Interpolator:
    """Interpolates an automation's texts with a trigger's data, and collects problems.

    remaining_bytes: limits the inserted bytes, as a short text can reference a long value many times.
    """

    data: Mapping[str, Any]
    problems: list[dict[str, str]] = field(default_factory=list)
    remaining_bytes: int = MAX_RESULT_BYTES

    def interpolate(self, value: Any, pointer: str = "", depth: int = 0) -> Any:
        """Return a JSON value with its texts interpolated; member names are unchanged."""
        if len(self.problems) >= Unprocessable.MAX_ERRORS or self.remaining_bytes < 0:
            return None
        if depth > MAX_DEPTH:
            self._note(pointer, "too_deep", f"Values may be nested at most {MAX_DEPTH} deep.")
            return None
        if isinstance(value, str):
            return self._interpolate_text(value, pointer)
        if isinstance(value, Mapping):
            return {
                name: self.interpolate(child, f"{pointer}/{_escaped(str(name))}", depth + 1)
                for name, child in value.items()
            }
        if isinstance(value, list):
            return [self.interpolate(child, f"{pointer}/{index}", depth + 1) for index, child in enumerate(value)]
        return value

    def _interpolate_text(self, text: str, pointer: str) -> Any:
        try:
            parts = parse_text(text)
        except InvalidExpression as error:
            self._note(pointer, "malformed_expression", str(error))
            return None
        if len(parts) == 1 and isinstance(parts[0], Expression):
            return self._look_up(parts[0], pointer)
        result = "".join(part if isinstance(part, str) else self._as_text(part, pointer) for part in parts)
        if len(result) > MAX_RESULT_LENGTH:
            self._note(pointer, "too_long", f"The interpolated text has more than {MAX_RESULT_LENGTH} characters.")
            return None
        return result

    def _consume_bytes(self, value: Any, pointer: str) -> bool:
        """Count the bytes of a value; return False, and note the problem once, if it exceeds the limit."""
        if self.remaining_bytes < 0:
            return False
        self.remaining_bytes -= len(orjson.dumps(value))
        if self.remaining_bytes < 0:
            self._note(pointer, "too_long", f"The inserted values have more than {MAX_RESULT_BYTES} bytes.")
        return self.remaining_bytes >= 0

    def _look_up(self, expression: Expression, pointer: str) -> Any:
        value: Any = self.data
        for part in expression.path:
            value = _member(value, part)
        if value is _MISSING or value is None:
            if expression.default is not _MISSING:
                return expression.default
            self._note(pointer, "missing_value", f"The trigger has no value for {str(expression)[:200]}.")
            return None
        return value if self._consume_bytes(value, pointer) else None

    def _as_text(self, expression: Expression, pointer: str) -> str:
        value = self._look_up(expression, pointer)
        if isinstance(value, str):
            return value
        if isinstance(value, dict | list):
            self._note(pointer, "not_text", f"{str(expression)[:200]} is an object or a list, not a text.")
            return ""
        return "" if value is None else orjson.dumps(value).decode()

    def _note(self, pointer: str, code: str, detail: str) -> None:
        self.problems.append(_problem(pointer, code, detail))


def _member(value: Any, name: str) -> Any:
    """Return a member or list item of plain data, never an attribute; _MISSING if there is none."""
    if isinstance(value, dict):
        return value.get(name, _MISSING)
    if isinstance(value, list) and name.isascii() and name.isdigit() and len(name) < 9 and int(name) < len(value):
        return value[int(name)]
    return _MISSING


def _children(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [(str(name), child) for name, child in value.items()]
    return [(str(index), child) for index, child in enumerate(value)] if isinstance(value, list) else []


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _problem(pointer: str, code: str, detail: str) -> dict[str, str]:
    return {"pointer": pointer, "code": code, "detail": detail}
