"""The answers of the front door: found in a few looks, or not given at all."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from django.conf import settings
from django.db import DatabaseError

from core.api.answers import answer_key_of, cache_rules, sorted_query
from core.api.etags import EntityTag, make_tag, matches_weakly
from core.api.negotiation import VENDOR_TYPES, negotiate
from core.api.prepared import Asked as ListAsked
from core.api.reads import Read
from core.api.renderers import JsonRenderer
from core.caching.answers import AnswerCache, answer_cache, rule_of
from core.caching.generations import parse_generations, state_of
from core.caching.rules import Rule
from core.caching.store import Entry
from core.files.links import context_of
from core.front.callers import Caller, Refused, caller_reader
from core.front.parts import Answer, fixed_headers, problem, refusal, take_one
from core.front.rows import Asked, Missing, tag_readers
from core.front.site import Site
from core.front.table import UNMATCHED, Spot

_LONGEST_QUERY = 500
_NONE: frozenset[str] = frozenset()
_renderer = JsonRenderer()
_NO_SUCH_ROW = "No such object."


def answer(environ: dict[str, Any], spot: Spot, site: Site) -> Answer | None:
    """Return the answer to a GET, None where Django has to make it. Nothing is counted then."""
    accept = environ.get("HTTP_ACCEPT")
    media_type = negotiate(accept)
    query = environ.get("QUERY_STRING", "")
    if (accept and VENDOR_TYPES in accept) or not _is_plain(query, spot.read.parameters if spot.read else _NONE):
        return None
    if spot.route is UNMATCHED:
        return problem(404, "not_found", "", [("API-Version", str(spot.version))])
    if media_type is None or spot.read is None:
        return None
    shown = caller_reader()(environ)
    if isinstance(shown, Refused):
        return refusal(shown, version=spot.version, allow=spot.read.allow)
    if shown is None or spot.read.scope not in shown.scopes or spot.read.feature or spot.read.operation:
        return None
    if spot.read.families and not spot.parameter:
        return _kept(environ, spot, site, shown, media_type, query)
    if spot.parameter and not query:
        return _row(environ, spot, site, shown, media_type)
    return None


def _is_plain(query: str, belonging: frozenset[str]) -> bool:
    """Return whether no parameter of a query chooses a version, or belongs to a feature."""
    return not query or (len(query) <= _LONGEST_QUERY and _says_nothing_of(query, belonging))


@lru_cache(maxsize=1024)
def _says_nothing_of(query: str, belonging: frozenset[str]) -> bool:
    return not any(name == "api_version" or name in belonging for name, _ in sorted_query(query))


def _kept(
    environ: dict[str, Any], spot: Spot, site: Site, caller: Caller, media_type: str, query: str
) -> Answer | None:
    """Return a list that is kept, or say that the client has it; else make it, where its SQL is written."""
    assert spot.read is not None
    rule = rule_of(spot.read.route_name)
    state = None if rule is None else _state(caller.tags, spot.read.families)
    if rule is None or state is None:
        return None
    path = environ["PATH_INFO"]
    key = _key(caller.owner_id, caller.scopes, spot.version, path, query, media_type, context_of(site.base))
    tag = _tag(key, state, settings.SECRET_KEY)
    if_none_match = environ.get("HTTP_IF_NONE_MATCH")
    entry = None
    if not _has(if_none_match, tag):
        if if_none_match and "*" in if_none_match:
            return None
        cache = _usable(answer_cache(), rule)
        entry = None if cache is None else cache.find(key, state)
        if entry is None:
            asked = ListAsked(caller.owner_id, spot.version, path, query, site.base)
            return _made(spot.read, asked, caller, rule, Promised(cache, key, state, tag))
    limits = take_one(caller.limits)
    if limits is None:
        return None
    headers = [*limits.items(), *fixed_headers(spot.version, spot.read.allow, cache_rules(rule)), ("ETag", str(tag))]
    if entry is None:
        return Answer(304, headers, b"", "REVALIDATED")
    headers += entry.headers.items()
    return Answer(200, headers, entry.body, "HIT")


class Promised(NamedTuple):
    """What is known of a list before it is made. cache: None where it is not kept."""

    cache: AnswerCache | None
    key: str
    state: str
    tag: EntityTag


def _usable(cache: AnswerCache | None, rule: Rule) -> AnswerCache | None:
    return None if cache is None or cache.is_resting or not rule.ttl_s else cache


def _made(read: Read, asked: ListAsked, caller: Caller, rule: Rule, promised: Promised) -> Answer | None:
    """Make a list, and keep it. None, and nothing is promised, where Django has to: there others are waited for."""
    plan = None if read.prepared is None else read.prepared.plan(asked.query, asked.version)
    cache = promised.cache
    if read.prepared is None or plan is None or (cache is not None and not cache.begin(promised.key)):
        return None
    body = None
    try:
        limits = take_one(caller.limits)
        if limits is None:
            return None
        found = read.prepared.read(plan, asked)
        body = _renderer.render(found.data)
    except (DatabaseError, LookupError, TypeError, ValueError):
        # The view meets the same, and says so; all that differs is that the request counts twice.
        return None
    finally:
        if cache is not None and body is None:
            cache.drop(promised.key)
    kept = {"Content-Type": _renderer.media_type, **found.headers}
    outcome = "BYPASS"
    if cache is not None and not cache.is_resting:
        outcome = "MISS"
        cache.keep(promised.key, Entry(promised.state, kept, body), ttl_s=rule.ttl_s)
    fixed = fixed_headers(asked.version, read.allow, cache_rules(rule))
    return Answer(200, [*limits.items(), *fixed, ("ETag", str(promised.tag)), *kept.items()], body, outcome)


def _row(environ: dict[str, Any], spot: Spot, site: Site, caller: Caller, media_type: str) -> Answer | None:
    """Say that there is no such row, or that the client has it."""
    assert spot.read is not None
    reader = tag_readers.get(spot.read.route_name)
    if reader is None or "HTTP_IF_MATCH" in environ:
        return None
    asked = Asked(caller.owner_id, spot.id_in(environ["PATH_INFO"]), spot.version, media_type, context_of(site.base))
    try:
        found = reader(asked)
    except DatabaseError:
        return None
    if found is None or (found is not Missing.ROW and not _has(environ.get("HTTP_IF_NONE_MATCH"), found)):
        return None
    limits = take_one(caller.limits)
    if limits is None:
        return None
    if found is Missing.ROW:
        fixed = fixed_headers(spot.version, spot.read.allow, "no-store")
        return problem(404, "not_found", _NO_SUCH_ROW, [*limits.items(), *fixed])
    fixed = fixed_headers(spot.version, spot.read.allow, cache_rules(rule_of(spot.read.route_name)))
    return Answer(304, [*limits.items(), *fixed, ("ETag", str(found))], b"", "REVALIDATED")


def _has(if_none_match: str | None, tag: EntityTag) -> bool:
    """Return whether a client has what a tag stands for. Whoever says `*` is left to the view, which may refuse him."""
    if if_none_match is None:
        return False
    return if_none_match == str(tag) or (if_none_match.strip() != "*" and matches_weakly(if_none_match, tag))


# What is asked for over and over, with the digests that it leads to.
_key = lru_cache(maxsize=2048)(answer_key_of)
_state = lru_cache(maxsize=2048)(lambda tags, families: state_of(parse_generations(tags), families))


@lru_cache(maxsize=2048)
def _tag(key: str, state: str, secret: str) -> EntityTag:
    """Return the tag of a list. secret: what tags are keyed with."""
    return make_tag(key, state, weak=True)
