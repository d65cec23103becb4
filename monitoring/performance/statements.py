"""The normalized text of an SQL statement: its text without what differs from run to run."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache

MAX_EXAMPLE_LENGTH = 8000
MAX_NORMALIZED_LENGTH = 4000
_TEXT = re.compile(r"'(?:[^']|'')*'")
_NUMBER = re.compile(r"(?<![\w$\"])-?\d+(?:\.\d+)?\b")
_LIST = re.compile(r"\(\s*(?:%s|\?)(?:\s*,\s*(?:%s|\?))+\s*\)")
_ROWS = re.compile(r"(\((?:%s|\.\.\.|\?)\))(?:\s*,\s*\1)+")
_SAVEPOINT = re.compile(r"(SAVEPOINT|RELEASE SAVEPOINT|ROLLBACK TO SAVEPOINT)\s+\S+", re.IGNORECASE)
_NAME = re.compile(r"\"[^\"]*\"")


@dataclass(frozen=True, slots=True)
class NormalizedStatement:
    """digest: names it; example: a text as it was run, empty where it is too long to be explained."""

    text: str
    digest: str
    example: str


def normalize_statement(sql: str) -> NormalizedStatement:
    """Return a statement without its literals."""
    # One too long to be explained is told apart by its beginning.
    return _normalize(sql[: MAX_EXAMPLE_LENGTH + 1])


@lru_cache(maxsize=1000)
def _normalize(sql: str) -> NormalizedStatement:
    text = " ".join(sql.split())
    text = _SAVEPOINT.sub(r"\1 ...", text)
    text = _TEXT.sub("?", text)
    text = "".join(_without_numbers(text))
    text = _LIST.sub("(...)", text)
    text = _ROWS.sub(r"\1, ...", text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return NormalizedStatement(text[:MAX_NORMALIZED_LENGTH], digest, sql if len(sql) <= MAX_EXAMPLE_LENGTH else "")


def _without_numbers(text: str) -> list[str]:
    """Return the text in pieces, numbers outside of quoted names replaced."""
    pieces: list[str] = []
    end = 0
    for match in _NAME.finditer(text):
        pieces += (_NUMBER.sub("?", text[end : match.start()]), match[0])
        end = match.end()
    pieces.append(_NUMBER.sub("?", text[end:]))
    return pieces
