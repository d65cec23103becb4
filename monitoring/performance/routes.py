"""Route names: requests are counted by URL pattern, not path, so that clients cannot create series."""

from __future__ import annotations

import re
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest
from django.urls import Resolver404, resolve

UNMATCHED = "(unmatched)"
OTHER = "(other)"
# The length of the columns that hold a route.
MAX_LENGTH = 200
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_PART = re.compile(r"<(?:[^:<>]+:)?(\w+)>")
_GROUP = re.compile(r"\(\?P<(\w+)>[^()]*\)")


def route_of(request: HttpRequest) -> str:
    """Return the URL pattern that a request matched, e.g. `/api/v2/renders/{id}`."""
    match = request.resolver_match
    # Probes, static files and early refusals are answered before Django resolves the URL.
    return name_of_pattern(match.route) if match is not None else name_of_path(request.path_info)


@lru_cache(maxsize=1024)
def name_of_pattern(pattern: str) -> str:
    """Return a Django URL pattern in the form `/path/{name}`."""
    name = "/" + _PART.sub(r"{\1}", _GROUP.sub(r"{\1}", pattern)).replace("^", "").replace("$", "")
    return name[:MAX_LENGTH]


@lru_cache(maxsize=512)
def name_of_path(path: str) -> str:
    """Return the pattern that a path resolves to, or UNMATCHED."""
    if path.startswith(settings.STATIC_URL):
        return f"{settings.STATIC_URL}{{path}}"
    try:
        return name_of_pattern(resolve(path).route)
    except Resolver404:
        return UNMATCHED


def method_of(request: HttpRequest) -> str:
    """Return the method, `OTHER` for unknown ones."""
    method = request.method or ""
    return method if method in METHODS else "OTHER"
