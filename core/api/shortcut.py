"""The short way to an answer that is kept, or that the client has: past Django's resolver and the machinery of views.

It says what the long way would say, byte for byte, or it says nothing, and the long way is taken: only for a GET by
an API key that is good, within its scopes and limits, of an answer that is true now. Whoever is to be refused is
refused in the one place where that is done. `tests/core/test_shortcut.py` compares the two ways.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from django.conf import settings
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, ResolverMatch, resolve, reverse
from django.utils.module_loading import import_string
from rest_framework.request import Request

from core.api.answers import VARY, answer_key, cache_rules, sorted_query
from core.api.etags import EntityTag, make_tag, matches_weakly
from core.api.negotiation import negotiate
from core.api.reads import Read, read_of
from core.api.throttling import limit_headers
from core.caching.answers import answer_cache, rule_of
from core.caching.generations import state_of
from core.caching.rules import Rule
from core.caching.store import Entry
from core.exceptions import DomainError
from core.ratelimit.limiter import limiter
from core.ratelimit.registry import limits_of

Reader = Callable[[HttpRequest], tuple[Any, Any] | None]


@dataclass(frozen=True, slots=True)
class Place:
    """A path whose answers are kept."""

    match: ResolverMatch
    read: Read


@dataclass(frozen=True, slots=True)
class _Found:
    """What is to be answered. entry: None where the client has it."""

    tag: EntityTag
    entry: Entry | None


def answer_early(request: HttpRequest) -> HttpResponse | None:
    """Return the answer to a request whose version is chosen, None where the long way has to be taken."""
    # A cookie is no credential here, but sessions have their say to one: they delete what has ended.
    if request.method != "GET" or request.META.get("HTTP_COOKIE"):
        return None
    place = _places(settings.ROOT_URLCONF, tuple(settings.RENDEROWL_ANSWER_RULES)).get(request.path_info)
    rule = None if place is None else rule_of(place.read.route_name)
    media_type = negotiate(request.META.get("HTTP_ACCEPT"))
    if place is None or rule is None or media_type is None or _asks_for_feature(request, place):
        return None
    try:
        shown = _credential_reader()(request)
    except (DomainError, OperationalError):
        return None
    if shown is None or place.read.scope not in shown[1].scopes:
        return None
    found = _find(request, place, rule, shown, media_type)
    if found is None:
        return None
    # As authentication leaves it: for the limits, and for those who count calls of what is deprecated.
    request.user, request.auth = shown  # type: ignore[attr-defined]
    limits = _take_one(request, place.read.operation)
    if limits is None:
        return None
    request.resolver_match = place.match
    return _response(place, rule, found, limits)


def _asks_for_feature(request: HttpRequest, place: Place) -> bool:
    return any(name in place.read.parameters for name, _ in sorted_query(request.META.get("QUERY_STRING", "")))


def _find(request: HttpRequest, place: Place, rule: Rule, shown: tuple[Any, Any], media_type: str) -> _Found | None:
    user, credential = shown
    known = credential.generations
    state = None if known is None else state_of(known, place.read.families)
    if state is None:
        return None
    version: int = request.api_version  # type: ignore[attr-defined]
    key = answer_key(request, owner_id=user.pk, scopes=credential.scopes, version=version, media_type=media_type)
    tag = make_tag(key, state, weak=True)
    if_none_match = request.META.get("HTTP_IF_NONE_MATCH")
    if if_none_match is not None:
        if if_none_match.strip() == "*":
            return None
        if matches_weakly(if_none_match, tag):
            return _Found(tag, None)
    cache = answer_cache()
    if cache is None or cache.is_resting or not rule.ttl_s:
        return None
    entry = cache.find(key, state)
    return None if entry is None else _Found(tag, entry)


def _take_one(request: HttpRequest, operation: str) -> Mapping[str, str] | None:
    """Count the request and return the headers of its limits; None where it is to be refused, and was not counted."""
    limits = limiter()
    # What is asked of DRF's request to name them, Django's has as well.
    decision = None if limits is None else limits.take(limits_of(cast("Request", request), operation))
    if decision is None:
        return {}
    return limit_headers(decision.standings) if decision.allowed else None


def _response(place: Place, rule: Rule, found: _Found, limits: Mapping[str, str]) -> HttpResponse:
    entry = found.entry
    body = b"" if entry is None else entry.body
    headers = {
        **({} if entry is None else entry.headers),
        "Allow": place.read.allow,
        **limits,
        "ETag": str(found.tag),
        "X-Cache": "REVALIDATED" if entry is None else "HIT",
        "Cache-Control": cache_rules(rule),
        "Vary": ", ".join(VARY),
        "X-Frame-Options": settings.X_FRAME_OPTIONS,
        "Content-Length": str(len(body)),
    }
    response = HttpResponse(body, status=200 if entry else 304, headers=headers)
    if entry is None:
        del response["Content-Type"]
    return response


@lru_cache(maxsize=4)
def _places(urlconf: str, route_names: tuple[str, ...]) -> dict[str, Place]:
    """Return the places without parts that vary, by path. urlconf: part of the key, as tests have their own."""
    places: dict[str, Place] = {}
    for version in settings.RENDEROWL_API_VERSIONS:
        for name in route_names:
            try:
                path = reverse(f"v{version}:{name}", urlconf)
            except NoReverseMatch:
                continue
            place = _place_of(resolve(path, urlconf))
            if place is not None:
                places[path] = place
    return places


def _place_of(match: ResolverMatch) -> Place | None:
    read = None if match.kwargs else read_of(match.func)
    if read is None or not read.scope or not read.families or read.feature:
        return None
    return Place(match, read)


@lru_cache(maxsize=1)
def _credential_reader() -> Reader:
    reader: Reader = import_string(settings.RENDEROWL_API_CREDENTIAL_READER)
    return reader
