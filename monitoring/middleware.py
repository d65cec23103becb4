"""Middleware that answers probes early and detects a missing database file."""

from __future__ import annotations

import re
from collections.abc import Callable

from asgiref.sync import async_to_sync
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from api.problems import problem_response
from core.database import database_file
from core.sqlite_backend.base import is_gone
from monitoring.health.views import live, ready
from monitoring.metrics.views import metrics

GetResponse = Callable[[HttpRequest], HttpResponseBase]
_PROBES = {"/live": async_to_sync(live), "/ready": async_to_sync(ready), "/metrics": metrics}
# These report the problem themselves.
_EXEMPT = re.compile(r"^/(health|metrics)(/|$)")
_RETRY_AFTER_S = "5"


class ProbeMiddleware:
    """Answers `/live`, `/ready` and `/metrics` for any Host, as probes use IP addresses, and over plain HTTP."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a probe, or pass the request on."""
        probe = _PROBES.get(request.path_info)
        if probe is not None and request.method in {"GET", "HEAD"}:
            return probe(request)
        return self.get_response(request)


class DatabaseFileMiddleware:
    """Answers 503 `database_gone` if the database file is missing, instead of SQLite's vague error."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Pass the request on if the database file exists."""
        if not is_gone(database_file()) or _EXEMPT.match(request.path_info):
            return self.get_response(request)
        response = problem_response("database_gone")
        response._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001 - the health check logs it once
        response["Retry-After"] = _RETRY_AFTER_S
        return response
