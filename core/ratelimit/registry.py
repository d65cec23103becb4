"""Whom a request counts for: core knows no accounts, so the app that does says it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rest_framework.request import Request

from core.ratelimit.buckets import Limit

LimitsOf = Callable[[Request, str, int], Sequence[Limit]]
_providers: list[LimitsOf] = []


def register_limits(provider: LimitsOf) -> None:
    """Have `provider(request, operation, units)` name the limits of requests. Register in `AppConfig.ready()`.

    operation: the class of the action, such as `create_render`, or "" where it has none; units: how many of that class
    the request stands for.
    """
    if provider not in _providers:
        _providers.append(provider)


def limits_of(request: Request, operation: str, units: int = 1) -> list[Limit]:
    """Return every limit that a request is subject to."""
    return [limit for provider in _providers for limit in provider(request, operation, units)]
