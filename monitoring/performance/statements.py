"""The shape of an SQL statement: its text without what differs from run to run."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

LONGEST_EXAMPLE = 8000
LONGEST_SHAPE = 4000
_TEXT = re.compile(r"'(?:[^']|'')*'")
_NUMBER = re.compile(r"(?<![\w$\"])-?\d+(?:\.\d+)?\b")
_LIST = re.compile(r"\(\s*(?:%s|\?)(?:\s*,\s*(?:%s|\?))+\s*\)")
_ROWS = re.compile(r"(\((?:%s|\.\.\.|\?)\))(?:\s*,\s*\1)+")
_SAVEPOINT = re.compile(r"(SAVEPOINT|RELEASE SAVEPOINT|ROLLBACK TO SAVEPOINT)\s+\S+", re.IGNORECASE)
_NAME = re.compile(r"\"[^\"]*\"")


@dataclass(frozen=True, slots=True)
class Shape:
    """digest: names the shape; example: a text as it was run, empty where it is too long to be explained."""

    text: str
    digest: str
    example: str


def shape_of(sql: str) -> Shape:
    """Return the shape of a statement; all that found no room has the shape `(other)`."""
    text = " ".join(sql.split()) or "(other)"
    text = _SAVEPOINT.sub(r"\1 ...", text)
    text = _TEXT.sub("?", text)
    text = "".join(_without_numbers(text))
    text = _LIST.sub("(...)", text)
    text = _ROWS.sub(r"\1, ...", text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Shape(text[:LONGEST_SHAPE], digest, sql if len(sql) <= LONGEST_EXAMPLE else "")


def _without_numbers(text: str) -> list[str]:
    """Return the text in pieces, numbers outside of quoted names replaced."""
    pieces: list[str] = []
    end = 0
    for match in _NAME.finditer(text):
        pieces += (_NUMBER.sub("?", text[end : match.start()]), match[0])
        end = match.end()
    pieces.append(_NUMBER.sub("?", text[end:]))
    return pieces
