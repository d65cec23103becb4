"""Response cache middleware: answers cacheable GETs from the cache or with 304, and caches the views' responses.

    class ProjectViewSet(ApiViewSet):
        endpoints = {"list": Endpoint("renders:read", cache_tags=("projects",))}

and a line for the route in `RENDEROWL_RESPONSE_CACHE_RULES` make an action cacheable. Every row that the body shows
must have one of its tags (`core.cache_tags.registry`); a response that shows more (the current time, other accounts'
rows) is not cacheable: its ETag is a hash of its content, see `validate`.

The middleware refuses nothing. If the credential, its scope or its rate limit does not admit a request, the view
refuses it; both share one authentication and one charge.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve
from django.utils.cache import patch_vary_headers
from django.utils.http import http_date

from api.authentication import authenticate
from api.conditional import SAFE_METHODS
from api.endpoints import endpoint_of
from api.etags import EntityTag, matches_weakly, read_tags, tag_of_bytes
from api.negotiation import negotiate
from api.permissions import has_scope
from api.requests import ApiRequest
from api.response_cache.cache import cache_rule_of
from api.response_cache.lookup import CacheLookup, cache_key
from api.throttling import charge, limit_headers
from api.views import ApiView

GetResponse = Callable[[HttpRequest], HttpResponseBase]
VARY = ("Authorization", "X-API-Key", "Accept")


class ResponseCacheMiddleware:
    """Serve cached responses, and set the headers `Cache-Control`, `Vary`, `ETag` and `X-Cache`."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: ApiRequest) -> HttpResponseBase:
        """Serve a request; uncacheable responses get an ETag of their content."""
        cached = self._cached(request)
        response = self.get_response(request) if cached is None else cached
        callback = request.resolver_match.func if request.resolver_match else None
        if _is_api_view(callback):
            lookup: CacheLookup | None = getattr(request, "cache_lookup", None)
            _add_headers(request, response, callback, lookup)
            if lookup is not None:
                lookup.fill(response)
        if request.path_info.startswith("/api/"):
            validate(request, response)
        return response

    def _cached(self, request: ApiRequest) -> HttpResponse | None:
        """Return the cached response or a 304, None if the view has to run."""
        if request.method not in SAFE_METHODS or not request.path_info.startswith("/api/"):
            return None
        try:
            match = resolve(request.path_info)
            found = _look_up(request, match.func) if _is_api_view(match.func) else None
        except (Resolver404, OperationalError):
            # Django or the view will fail in the same way, and handle it.
            return None
        if found is None:
            return None
        lookup, limits = found
        request.cache_lookup = lookup
        # As Django sets it: the metrics and the observers of deprecated calls read it.
        request.resolver_match = match
        if lookup.is_current(request.META.get("HTTP_IF_NONE_MATCH", "")):
            response = HttpResponse(status=304, headers=limits)
            del response["Content-Type"]
            return response
        entry = lookup.find() if request.method == "GET" else None
        return None if entry is None else HttpResponse(entry.body, headers={**entry.headers, **limits})


def _is_api_view(callback: Any) -> bool:
    view_class = getattr(callback, "cls", None)
    return isinstance(view_class, type) and issubclass(view_class, ApiView)


def _look_up(request: ApiRequest, callback: Any) -> tuple[CacheLookup, dict[str, str]] | None:
    """Authenticate and charge a cacheable request; return its lookup and the headers of its rate limits.

    None if the response is not cacheable, or if the view has to refuse the request.
    """
    rule = cache_rule_of(callback.initkwargs["route_name"])
    endpoint = endpoint_of(callback, "GET")
    if rule is None or endpoint is None or not endpoint.cache_tags:
        return None
    media_type = negotiate(request.META.get("HTTP_ACCEPT"))
    authenticated = None if media_type is None else authenticate(request, callback.cls.authentication_classes)
    if media_type is None or authenticated is None:
        return None
    decision = charge(authenticated, endpoint.operation)
    if (decision is not None and not decision.allowed) or not has_scope(authenticated, endpoint.scope):
        return None
    key = cache_key(request, authenticated, version=request.api_version, media_type=media_type)
    lookup = CacheLookup.of(key, endpoint.cache_tags, authenticated, rule)
    return None if lookup is None else (lookup, limit_headers(decision.limit_statuses if decision else ()))


def _add_headers(request: HttpRequest, response: HttpResponseBase, callback: Any, lookup: CacheLookup | None) -> None:
    is_safe, is_good = request.method in SAFE_METHODS, response.status_code in {200, 304}
    is_public = not callback.cls.permission_classes
    if is_safe and is_good:
        if lookup is not None:
            response.headers.setdefault("ETag", str(lookup.etag))
        outcome = "BYPASS" if lookup is None else lookup.outcome
        response["X-Cache"] = "REVALIDATED" if response.status_code == 304 else outcome
    if is_safe or response.status_code >= 400:
        rule = cache_rule_of(callback.initkwargs["route_name"])
        max_age_s = rule.max_age_s if rule is not None else 0
        allowed = "no-cache" if is_public else f"private, max-age={max_age_s}" if max_age_s else "private, no-cache"
        response.headers.setdefault("Cache-Control", allowed if is_good else "no-store")
    patch_vary_headers(response, VARY[-1:] if is_public else VARY)


_BODY_HEADERS = ("Content-Type", "Content-Length", "Content-Encoding", "Content-Disposition", "Link")


def validate(request: HttpRequest, response: HttpResponseBase) -> None:
    """Add an ETag of the content if the view set none, and answer 304 if the client's copy is current."""
    if (
        request.method not in SAFE_METHODS
        or response.status_code not in {200, 304}
        or not isinstance(response, HttpResponse)
    ):
        return
    response["Date"] = http_date()
    if response.status_code != 200:
        return
    tag = _tag_of(response)
    response["ETag"] = str(tag)
    header = request.META.get("HTTP_IF_NONE_MATCH")
    if header is not None and matches_weakly(header, tag):
        response.status_code = 304
        response.content = b""
        for name in _BODY_HEADERS:
            if name in response:
                del response[name]
        if "X-Cache" in response:
            response["X-Cache"] = "REVALIDATED"


def _tag_of(response: HttpResponse) -> EntityTag:
    given = read_tags(response.get("ETag", ""))
    if not given:
        return tag_of_bytes(response.content, response.get("Content-Type", ""))
    # A strong tag stands for the uncompressed bytes.
    return EntityTag(given[0].opaque, given[0].weak or "Content-Encoding" in response)
