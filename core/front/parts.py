"""What answers of the front door are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from core.api.answers import VARY
from core.api.problems import CONTENT_TYPE, build_problem, challenge
from core.api.throttling import limit_headers
from core.front.callers import Refused
from core.front.site import Header
from core.ratelimit.buckets import Limit
from core.ratelimit.limiter import limiter

_VARY = ", ".join(VARY)


class Answer(NamedTuple):
    """All of an answer but its date, its id and the time that it took. cache: what X-Cache says, if anything."""

    status: int
    headers: list[Header]
    body: bytes
    cache: str = ""


def refusal(refused: Refused, *, version: int, allow: str) -> Answer:
    """Return the 401 of somebody without a good credential, with the limits of the address."""
    limits = limiter()
    decision = None if limits is None else limits.peek(refused.limits)
    headers = [("WWW-Authenticate", challenge(refused.code))]
    if decision is not None:
        headers += limit_headers(decision.standings).items()
    headers += fixed_headers(version, allow, "no-store")
    return problem(401, refused.code, refused.detail, headers)


def problem(status: int, code: str, detail: str, headers: Sequence[Header]) -> Answer:
    """Return a problem document, for a code of `core.api.codes`."""
    return refuse(build_problem(code, detail, status), headers)


def refuse(document: Mapping[str, Any], headers: Sequence[Header]) -> Answer:
    """Return a problem document as an answer."""
    return Answer(document["status"], [("Content-Type", CONTENT_TYPE), *headers], orjson.dumps(document))


def take_one(wanted: Sequence[Limit]) -> Mapping[str, str] | None:
    """Count a request and return the headers of its limits; None where it is to be refused, and was not counted."""
    limits = limiter()
    decision = None if limits is None else limits.take(wanted)
    if decision is None:
        return {}
    return limit_headers(decision.standings) if decision.allowed else None


@lru_cache(maxsize=512)
def fixed_headers(version: int, allow: str, cache_control: str) -> tuple[Header, ...]:
    """Return the headers that follow from the path and what may be kept."""
    return ("Allow", allow), ("Cache-Control", cache_control), ("Vary", _VARY), ("API-Version", str(version))
