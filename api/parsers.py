"""Request body parsers, which check the size before they parse."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

import orjson
from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from core.exceptions import PayloadTooLarge


class JsonParser(BaseParser):
    """Parse JSON with orjson: UTF-8 only, no NaN, no Infinity, no duplicate keys, nested 250 deep at most."""

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the decoded body; raise PayloadTooLarge over the limit, with any Content-Length, and ParseError."""
        limit = settings.RENDEROWL_BODY_LIMIT_BYTES
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise PayloadTooLarge(limit_bytes=limit)
        return parse_json(body)


def parse_json(body: bytes) -> Any:
    """Decode a body whose size was checked, or raise ParseError."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ParseError(f"The body is not JSON: {error}.") from error
    _refuse_deep_nesting(found)
    # Parsers disagree about which of two equal keys counts, so one could be validated and the other be used.
    json.loads(body, object_pairs_hook=_refuse_duplicate_keys)
    return found


def _refuse_deep_nesting(value: Any) -> None:
    """Raise ParseError if the value cannot be serialized: orjson writes less depth than it reads."""
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError as error:
        raise ParseError("The body is nested too deeply.") from error


def _refuse_duplicate_keys(pairs: list[tuple[str, Any]]) -> None:
    names = {name for name, _ in pairs}
    if len(names) < len(pairs):
        seen: set[str] = set()
        duplicate = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ParseError(f"The body has the member {duplicate[:100]!r} twice in one object.")
