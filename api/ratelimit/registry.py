"""Whom a request counts for: core knows no accounts, so the app that does says it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rest_framework.request import Request

from api.ratelimit.buckets import Limit
from core.registry import Registry, itself

LimitsOf = Callable[[Request, str, int], Sequence[Limit]]
# Each is called as `provider(request, operation, units)`. operation: the class of the action, such as `create_render`,
# or "" where it has none; units: how many of that class the request stands for.
limit_providers = Registry[LimitsOf, LimitsOf]("limit provider", key=itself)


def limits_of(request: Request, operation: str, units: int = 1) -> list[Limit]:
    """Return every limit that a request is subject to."""
    return [limit for provider in limit_providers for limit in provider(request, operation, units)]
