"""Cache look-up of one request: its key, its tag versions and its outcome."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from api.etags import EntityTag, build_id, make_tag, matches_weakly
from api.response_cache.cache import ResponseCache, response_cache
from api.response_cache.store import CacheEntry, CacheRule
from core.cache_tags.versions import TagVersions, format_tag_versions, read_tag_versions
from files.links import link_context

CACHED_HEADERS = ("Content-Type", "Link", "Allow")


@dataclass(slots=True)
class CacheLookup:
    """A cacheable request.

    tag_versions: read before the rows that the view reads. outcome: the value of `X-Cache`.
    """

    key: str
    tag_versions: str
    account_id: UUID
    tags: tuple[str, ...]
    rule: CacheRule
    outcome: str = "BYPASS"
    _filling: ResponseCache | None = None

    @classmethod
    def of(cls, key: str, tags: tuple[str, ...], request: Request, rule: CacheRule) -> CacheLookup | None:
        """Return the lookup of an authenticated request, None while changes of rows are not tracked."""
        account: Any = request.user
        known: TagVersions | None = getattr(request.auth, "tag_versions", None)
        tag_versions = format_tag_versions(read_tag_versions(account.pk) if known is None else known, tags)
        return None if tag_versions is None else cls(key, tag_versions, account.pk, tags, rule)

    @property
    def etag(self) -> EntityTag:
        """Return the weak tag of the response, which changes with every row that the response shows."""
        return make_tag(self.key, self.tag_versions, weak=True)

    def is_current(self, if_none_match: str) -> bool:
        """Return whether the client's copy is current. `*` is left to the view, which may refuse the request."""
        return bool(if_none_match) and if_none_match.strip() != "*" and matches_weakly(if_none_match, self.etag)

    def find(self) -> CacheEntry | None:
        """Return the cached response, also after waiting for another request's cache fill; else start a fill."""
        cache = response_cache()
        if cache is None or cache.is_circuit_open or not self.rule.ttl_s:
            return None
        entry = cache.get(self.key, self.tag_versions)
        if entry is None and not cache.acquire(self.key):
            filled = cache.wait(self.key, lambda: format_tag_versions(read_tag_versions(self.account_id), self.tags))
            if filled is not None:
                entry, self.tag_versions = filled
        if entry is not None:
            self.outcome = "HIT"
        elif not cache.is_circuit_open:
            self.outcome, self._filling = "MISS", cache
        return entry

    def fill(self, response: HttpResponseBase) -> None:
        """Cache the view's response if this request started the fill; on an error release the key."""
        cache, self._filling = self._filling, None
        if cache is None:
            return
        body = getattr(response, "content", None)
        is_private = "no-store" in response.get("Cache-Control", "") or response.cookies
        if response.status_code != 200 or is_private or body is None:
            cache.release(self.key)
            return
        headers = {name: response[name] for name in CACHED_HEADERS if name in response}
        cache.put(self.key, CacheEntry(self.tag_versions, headers, body), ttl_s=self.rule.ttl_s)


def cache_key(request: HttpRequest, authenticated: Request, *, version: int, media_type: str) -> str:
    """Hash what a response depends on besides rows: build, account, scopes, version, features, URL, links."""
    account: Any = authenticated.user
    credential: Any = authenticated.auth
    parts = (
        build_id(),
        account.pk,
        sorted(credential.scopes),
        version,
        sorted(settings.RENDEROWL_API_FEATURES.items()),
        request.path_info,
        sorted_query(request.META.get("QUERY_STRING", "")),
        media_type,
        link_context(request),
    )
    return hashlib.blake2b(repr(parts).encode(), digest_size=20).hexdigest()


@lru_cache(maxsize=512)
def sorted_query(text: str) -> tuple[tuple[str, str], ...]:
    """Return the parameters of a query string, sorted."""
    return tuple(sorted(parse_qsl(text, keep_blank_values=True)))
