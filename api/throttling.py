"""Rate limits of the API: charged once per request, and shown in the headers of every response."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import cast

from django.contrib.auth.models import AnonymousUser
from django.http import HttpResponseBase
from rest_framework import status
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from api.endpoints import endpoint_of
from api.ratelimit.buckets import LimitStatus, RateLimitDecision, RateLimitPolicy
from api.ratelimit.exceptions import RateLimited
from api.ratelimit.limiter import limiter, request_limits
from api.requests import ApiRequest


class AccountThrottle(BaseThrottle):
    """Charges a request to its key and account, or to its IP address; a view without limits has no throttle classes."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Return True, also if the limiter fails; raise RateLimited, without a charge, at a limit."""
        endpoint = endpoint_of(view, request.method or "")
        operation = endpoint.operation if endpoint is not None else ""
        units: int = view.units_of(request) if operation else 1  # type: ignore[attr-defined]
        decision = charge(request, operation, units)
        if decision is not None and not decision.allowed:
            raise RateLimited(decision.limit_statuses[0])
        return True


def charge(request: Request, operation: str = "", units: int = 1) -> RateLimitDecision | None:
    """Take one unit from every limit of a request, or from none; a repeated call returns the first decision.

    operation: a class with limits of its own; units: how many operations the request counts as.
    Returns None if rate limits are off, or if the store failed.
    """
    http_request = cast("ApiRequest", request._request)  # noqa: SLF001 - DRF's request lives for one view only
    if not hasattr(http_request, "rate_limit_decision"):
        limits = limiter()
        http_request.rate_limit_decision = limits.take(request_limits(request, operation, units)) if limits else None
    return http_request.rate_limit_decision


def add_limit_headers(request: Request, response: HttpResponseBase, view: APIView) -> None:
    """Add rate limit headers to a response. A 401 comes before the charge: its limits are only read."""
    decision: RateLimitDecision | None = getattr(request._request, "rate_limit_decision", None)  # noqa: SLF001 - as above
    if decision is None and response.status_code == status.HTTP_401_UNAUTHORIZED and view.throttle_classes:
        limits = limiter()
        # Otherwise DRF would authenticate again, and raise again.
        request.user, request.auth = AnonymousUser(), None
        decision = None if limits is None else limits.peek(request_limits(request, ""))
    for name, value in limit_headers(decision.limit_statuses if decision else ()).items():
        response.headers.setdefault(name, value)


def refusal_headers(refusal: RateLimited, request: Request) -> dict[str, str]:
    """Return the headers of a 429: first the limit that refused, then those that were charged."""
    decision: RateLimitDecision | None = getattr(request._request, "rate_limit_decision", None)  # noqa: SLF001 - as above
    others = (
        [item for item in decision.limit_statuses if item.policy != refusal.limit_status.policy] if decision else []
    )
    return limit_headers((refusal.limit_status, *others))


def limit_headers(limit_statuses: Sequence[LimitStatus]) -> dict[str, str]:
    """Return the rate limit headers, the tightest limit first; none without limits.

    Source: draft-ietf-httpapi-ratelimit-headers, sections 3 and 4: lists of strings with parameters.
    """
    if not limit_statuses:
        return {}
    return {
        "RateLimit-Policy": _text_of(tuple(limit_status.policy for limit_status in limit_statuses)),
        "RateLimit": ", ".join(f'"{item.policy.name}";r={item.remaining};t={item.wait_s}' for item in limit_statuses),
    }


@lru_cache(maxsize=64)
def _text_of(policies: tuple[RateLimitPolicy, ...]) -> str:
    return ", ".join(f'"{policy.name}";q={policy.quota};w={policy.window_s}' for policy in policies)
