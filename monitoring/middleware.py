"""Answer the liveness probe before anything else can refuse it."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from monitoring.health import live


class LivenessMiddleware:
    """`/live` is 200 while the process serves: under any Host (a probe uses the address), by plain HTTP too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the probe, or pass the request on."""
        if request.path_info == "/live" and request.method in {"GET", "HEAD"}:
            return live(request)
        return self.get_response(request)
