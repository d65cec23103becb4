"""Read request bodies, bounded before they are parsed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

import orjson
from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from core.exceptions import PayloadTooLarge


class JsonParser(BaseParser):
    """Parse JSON with orjson: UTF-8 only, no NaN, no Infinity."""

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the decoded body.

        Raises PayloadTooLarge over the limit, also where no Content-Length was sent, and ParseError on bad JSON.
        """
        limit = settings.RENDEROWL_BODY_LIMIT_BYTES
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise PayloadTooLarge(limit_bytes=limit)
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ParseError(f"The body is not JSON: {error}.") from error
