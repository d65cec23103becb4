"""Rate limits at the edge of the API: the headers of every answer, and the refusal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar

from django.contrib.auth.models import AnonymousUser
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.ratelimit.buckets import Decision, Policy, Standing
from core.ratelimit.exceptions import RateLimited
from core.ratelimit.limiter import limiter
from core.ratelimit.registry import limits_of


class RateLimitedView(APIView):
    """A view whose requests are counted.

    operations: action -> class of operation, for those that have limits of their own.
    """

    operations: ClassVar[Mapping[str, str]] = {}

    def units_of(self, request: Request) -> int:
        """Return how many operations of its class a request stands for."""
        return 1

    def check_throttles(self, request: Request) -> None:
        """Take one unit from everything that the request counts for.

        Raises RateLimited, and then has taken nothing. Where the limiter fails the request passes, without headers.
        """
        super().check_throttles(request)
        if (limits := limiter()) is None:
            return
        action = getattr(self, "action", None) or (request.method or "").lower()
        operation = self.operations.get(action, "")
        decision = limits.take(limits_of(request, operation, self.units_of(request) if operation else 1))
        if decision is None:
            return
        self._show(decision.standings)
        if not decision.allowed:
            raise RateLimited(decision.standings[0])

    def handle_exception(self, exc: Exception) -> Response:
        """Answer a refusal, with the limits that the caller stands under."""
        if isinstance(exc, RateLimited):
            self._show((exc.standing, *self._shown(without=exc.standing)))
        response = super().handle_exception(exc)
        if response.status_code == status.HTTP_401_UNAUTHORIZED and not self._standings:
            # Refused before anything was counted: 401 comes before 429.
            decision = self._look()
            self._show(decision.standings if decision else ())
        return response

    _standings: Sequence[Standing] = ()

    def _look(self) -> Decision | None:
        limits = limiter()
        if limits is None:
            return None
        # The credential was no good; without this DRF would read it once more, and raise again.
        self.request.user, self.request.auth = AnonymousUser(), None
        return limits.peek(limits_of(self.request, ""))

    def _shown(self, without: Standing) -> list[Standing]:
        return [standing for standing in self._standings if standing.policy != without.policy]

    def _show(self, standings: Sequence[Standing]) -> None:
        self._standings = standings
        self.headers: dict[str, Any]
        self.headers.update(limit_headers(standings))


def limit_headers(standings: Sequence[Standing]) -> dict[str, str]:
    """Return the headers of an answer, the tightest limit first; none where nothing was counted.

    Source: draft-ietf-httpapi-ratelimit-headers, sections 3 and 4: lists of strings with parameters.
    """
    if not standings:
        return {}
    return {
        "RateLimit-Policy": _text_of(tuple(standing.policy for standing in standings)),
        "RateLimit": ", ".join(f'"{item.policy.name}";r={item.remaining};t={item.wait_s}' for item in standings),
    }


@lru_cache(maxsize=64)
def _text_of(policies: tuple[Policy, ...]) -> str:
    return ", ".join(f'"{policy.name}";q={policy.quota};w={policy.window_s}' for policy in policies)
