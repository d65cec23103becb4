"""Content negotiation: JSON is the only representation, so the outcome is JSON or 406."""

from __future__ import annotations

from functools import lru_cache

from django.http import HttpRequest
from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request

from api.renderers import JsonRenderer

VENDOR_TYPES = "application/vnd.renderowl."
_MAX_ACCEPT_LENGTH = 200


def negotiate(accept: str | None) -> str | None:
    """Return the JSON media type for an Accept header, None if it accepts none; vendor types count as JSON."""
    # Long headers are rare, and cached ones would let clients fill the memory.
    if accept is not None and len(accept) > _MAX_ACCEPT_LENGTH:
        return _negotiate(accept)
    return _cached_negotiate(accept)


def _negotiate(accept: str | None) -> str | None:
    request = HttpRequest()
    if accept is not None:
        request.META["HTTP_ACCEPT"] = accept
    try:
        media_type: str = DefaultContentNegotiation().select_renderer(Request(request), [JsonRenderer()])[1]
    except NotAcceptable:
        return JsonRenderer.media_type if accept and VENDOR_TYPES in accept else None
    return media_type


_cached_negotiate = lru_cache(maxsize=256)(_negotiate)
