"""Answers from the cache: validated, found, made once and kept.

    class ProjectViewSet(ApiViewSet):
        cache_tags = {"list": ("projects",)}      # families of rows that show in the answer, of the caller's account

and a line for the route in `RENDEROWL_ANSWER_RULES`. The families are registered with `core.caching.families`. Every
listed family is one whose rows the body shows; an answer that shows more (a time that goes by, other accounts' rows)
has no line there: it is made anew each time, and its tag is that of its content, see `core.middleware`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, ClassVar
from urllib.parse import parse_qsl
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.etags import EntityTag, build_id, make_tag, matches_weakly
from core.caching.answers import AnswerCache, answer_cache, rule_of
from core.caching.generations import Generations, read_generations, state_of
from core.caching.rules import Rule
from core.caching.store import Entry
from core.files.links import link_context

SAFE = frozenset({"GET", "HEAD"})
KEPT_HEADERS = ("Content-Type", "Link")
VARY = ("Authorization", "X-API-Key", "Accept")


class NotModified(Exception):
    """The client has what it asks for."""


class Found(Exception):
    """The answer is there already."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry


class CachedView(APIView):
    """A view whose answers have tags, may be kept, and say how long they hold.

    cache_tags: action -> families of the caller's rows that its answer shows.
    """

    cache_tags: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    route_name = ""

    _tag: EntityTag | None = None
    _outcome = "BYPASS"
    _rule: Rule | None = None
    _promised: tuple[AnswerCache, str, str] | None = None

    def look_up(self, request: Request) -> None:
        """Answer from the cache, or promise it the answer. After credential, rate and scope were checked.

        Raises NotModified or Found.
        """
        if request.method not in SAFE:
            return
        action = getattr(self, "action", None) or "get"
        self._rule = rule_of(self.route_name)
        families = self.cache_tags.get("list" if action == "head" else action)
        if self._rule is None or not families:
            return
        account: Any = request.user
        known: Generations | None = getattr(request.auth, "generations", None)
        state = state_of(read_generations(account.pk) if known is None else known, families)
        if state is None:
            return
        scopes: frozenset[str] = getattr(request.auth, "scopes", frozenset())
        version, media_type = int(request.version or 0), str(request.accepted_media_type)
        key = answer_key(request, owner_id=account.pk, scopes=scopes, version=version, media_type=media_type)
        self._note_tag(key, state)
        if_none_match = request.headers.get("If-None-Match")
        # `*` may stand in a request that would be refused; whether it matches is seen at the end.
        if if_none_match is not None and if_none_match.strip() != "*" and self._has(if_none_match):
            raise NotModified
        cache = answer_cache()
        if cache is not None and not cache.is_resting and self._rule.ttl_s and request.method == "GET":
            self._find_or_promise(cache, key, state, lambda: state_of(read_generations(account.pk), families))

    def _has(self, if_none_match: str) -> bool:
        return self._tag is not None and matches_weakly(if_none_match, self._tag)

    def _find_or_promise(self, cache: AnswerCache, key: str, state: str, read_state: Callable[[], str | None]) -> None:
        entry = cache.find(key, state)
        if entry is None and not cache.begin(key):
            made = cache.wait(key, read_state)
            if made is not None:
                entry, state = made
                self._note_tag(key, state)
        if entry is not None:
            raise Found(entry)
        if not cache.is_resting:
            self._outcome = "MISS"
            self._promised = (cache, key, state)

    def _note_tag(self, key: str, state: str) -> None:
        self._tag = make_tag(key, state, weak=True)

    def handle_exception(self, exc: Exception) -> Response:
        """Answer 304 or what was found; leave the rest to the problems."""
        if isinstance(exc, NotModified):
            self._outcome = "REVALIDATED"
            return Response(status=304)
        if isinstance(exc, Found):
            self._outcome = "HIT"
            # Bytes as they were sent the first time; nothing renders them anew.
            return HttpResponse(exc.entry.body, headers=exc.entry.headers)  # type: ignore[return-value]
        return super().handle_exception(exc)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Add tag and rules of caching; keep what was promised."""
        response = super().finalize_response(request, response, *args, **kwargs)
        is_good = response.status_code in {200, 304}
        if request.method in SAFE and is_good:
            if self._tag is not None and "ETag" not in response:
                response["ETag"] = str(self._tag)
            response["X-Cache"] = self._outcome
        if "Cache-Control" not in response and (request.method in SAFE or response.status_code >= 400):
            response["Cache-Control"] = self._cache_control() if is_good else "no-store"
        patch_vary_headers(response, VARY if self.permission_classes else VARY[-1:])
        if self._promised is not None:
            self._keep_promise(*self._promised, response)
        return response

    def _cache_control(self) -> str:
        if not self.permission_classes:
            return "no-cache"
        return cache_rules(self._rule)

    def _keep_promise(self, cache: AnswerCache, key: str, state: str, response: Response) -> None:
        self._promised = None
        is_kept = response.status_code == 200 and "no-store" not in response["Cache-Control"] and not response.cookies
        if not is_kept or not hasattr(response, "add_post_render_callback"):
            cache.drop(key)
            return
        ttl_s = self._rule.ttl_s if self._rule else 0

        def keep(rendered: Response) -> None:
            headers = {name: rendered[name] for name in KEPT_HEADERS if name in rendered}
            cache.keep(key, Entry(state, headers, rendered.content), ttl_s=ttl_s)

        response.add_post_render_callback(keep)


def answer_key(
    request: Request | HttpRequest, *, owner_id: UUID, scopes: frozenset[str], version: int, media_type: str
) -> str:
    """Return what an answer depends on besides the rows."""
    query = request.META.get("QUERY_STRING", "")
    return answer_key_of(owner_id, scopes, version, request.path_info, query, media_type, link_context(request))


def answer_key_of(
    owner_id: UUID,
    scopes: frozenset[str],
    version: int,
    path: str,
    query: str,
    media_type: str,
    links: tuple[str, int, int],
) -> str:
    """Return the same of its parts. query: as it came; links: see `core.files.links.context_of`."""
    parts = (build_id(), owner_id, _hash_of_scopes(scopes), version, path, sorted_query(query), media_type, links)
    return hashlib.blake2b(repr(parts).encode(), digest_size=20).hexdigest()


def cache_rules(rule: Rule | None) -> str:
    """Return the Cache-Control of an answer that somebody had to show a credential for."""
    return f"private, max-age={rule.max_age_s}" if rule is not None and rule.max_age_s else "private, no-cache"


@lru_cache(maxsize=512)
def sorted_query(text: str) -> tuple[tuple[str, str], ...]:
    """Return the parameters of a query string, in one order however they were written."""
    return tuple(sorted(parse_qsl(text, keep_blank_values=True)))


@lru_cache(maxsize=1024)
def _hash_of_scopes(scopes: frozenset[str]) -> str:
    return hashlib.blake2b(" ".join(sorted(scopes)).encode(), digest_size=12).hexdigest()
