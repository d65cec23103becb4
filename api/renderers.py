"""Response renderers."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from django.utils.functional import Promise
from rest_framework.renderers import BaseRenderer

_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS


def _fallback(value: Any) -> Any:
    if isinstance(value, Decimal | Promise | UUID):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(type(value).__name__)


class JsonRenderer(BaseRenderer):
    """Write JSON with orjson; times are UTC with a Z."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        """Return the encoded body, empty for None."""
        if data is None:
            return b""
        try:
            return orjson.dumps(data, default=_fallback, option=_OPTIONS)
        except orjson.JSONEncodeError:
            return orjson.dumps(_writable(data), default=_fallback, option=_OPTIONS)


def _writable(value: Any) -> Any:
    """Return the value with integers beyond 64 bits as floats: PostgreSQL's JSON returns 1e20 as an integer."""
    if isinstance(value, Mapping):
        return {name: _writable(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_writable(item) for item in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return float(value)
    return value
