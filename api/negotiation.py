"""Which of the API's forms a client takes: there is one, so all that is to be found out is whether it does."""

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
    """Return the media type of a JSON answer under an Accept header, None where it admits none.

    The vendor types of the API count as JSON.
    """
    # Long ones are rare, and would let anybody fill the memory.
    if accept is not None and len(accept) > _MAX_ACCEPT_LENGTH:
        return _negotiate(accept)
    return _remembered(accept)


def _negotiate(accept: str | None) -> str | None:
    request = HttpRequest()
    if accept is not None:
        request.META["HTTP_ACCEPT"] = accept
    try:
        media_type: str = DefaultContentNegotiation().select_renderer(Request(request), [JsonRenderer()])[1]
    except NotAcceptable:
        return JsonRenderer.media_type if accept and VENDOR_TYPES in accept else None
    return media_type


_remembered = lru_cache(maxsize=256)(_negotiate)
