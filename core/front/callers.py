"""Who calls, as the app that knows accounts tells it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from core.ratelimit.buckets import Limit


class Caller(NamedTuple):
    """Somebody with a good credential. limits: of requests without an operation; tags: as `parse_generations` takes it.

    scopes: in force now. limits_of: gives the limits of an operation.
    """

    owner_id: UUID
    scopes: frozenset[str]
    limits: Sequence[Limit]
    tags: str
    limits_of: Callable[[str], Sequence[Limit]]


class Refused(NamedTuple):
    """Somebody without: 401. limits: those of the address, which are only told."""

    code: str
    detail: str
    limits: Sequence[Limit]


# Takes a request's environment; None where the machinery of views has to find out.
CallerReader = Callable[[dict[str, Any]], Caller | Refused | None]


@lru_cache(maxsize=1)
def caller_reader() -> CallerReader:
    """Return what tells callers apart."""
    reader: CallerReader = import_string(settings.RENDEROWL_CALLER_READER)
    return reader
