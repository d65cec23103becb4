"""The last word on every answer to GET under `/api/`: it has a tag, and who has it already gets 304.

Source: RFC 9110, sections 8.8.3, 13.1.2 and 15.4.5.
"""

from __future__ import annotations

import time
from functools import lru_cache

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import http_date

from api.conditional import SAFE
from api.etags import EntityTag, matches_weakly, read_tags, tag_of_bytes

_OF_A_BODY = ("Content-Type", "Content-Length", "Content-Encoding", "Content-Disposition", "Link")


def validate(request: HttpRequest, response: HttpResponseBase) -> None:
    """Give an answer the tag of its content where its view gave it none, and make it a 304 where the client has it."""
    if request.method not in SAFE or response.status_code not in {200, 304} or not isinstance(response, HttpResponse):
        return
    response["Date"] = date_of(int(time.time()))
    if response.status_code != 200:
        return
    tag = _tag_of(response)
    response["ETag"] = str(tag)
    header = request.META.get("HTTP_IF_NONE_MATCH")
    if header is not None and matches_weakly(header, tag):
        response.status_code = 304
        response.content = b""
        for name in _OF_A_BODY:
            if name in response:
                del response[name]
        if "X-Cache" in response:
            response["X-Cache"] = "REVALIDATED"


def _tag_of(response: HttpResponse) -> EntityTag:
    given = read_tags(response.get("ETag", ""))
    if not given:
        return tag_of_bytes(response.content, response.get("Content-Type", ""))
    # The bytes of a compressed answer are not those that a strong tag stands for.
    return EntityTag(given[0].opaque, given[0].weak or "Content-Encoding" in response)


@lru_cache(maxsize=2)
def date_of(second: int) -> str:
    """Return a time since 1970 as the Date header writes it."""
    return http_date(second)
