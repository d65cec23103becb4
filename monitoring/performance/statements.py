"""Normalization of SQL statements: replaces literals, so that runs of the same statement group together."""

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
    """A normalized statement. digest: SHA-256 of it; example: the original text, empty if too long to explain."""

    text: str
    digest: str
    example: str


def normalize_statement(sql: str) -> NormalizedStatement:
    """Return a statement with its literals replaced."""
    # A text too long to explain is identified by its beginning.
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
    """Return the text in pieces, with numbers outside quoted names replaced."""
    pieces: list[str] = []
    end = 0
    for match in _NAME.finditer(text):
        pieces += (_NUMBER.sub("?", text[end : match.start()]), match[0])
        end = match.end()
    pieces.append(_NUMBER.sub("?", text[end:]))
    return pieces
