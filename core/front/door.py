"""The WSGI application that the server runs: what it can answer in a few looks it answers, the rest Django does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import cached_property, lru_cache
from http.client import responses
from typing import Any

from django.conf import settings
from django.db import connections

from core import tracing
from core.api.validators import date_of
from core.context import request_id
from core.database import database_file
from core.front.answers import answer
from core.front.bodies import answer_post
from core.front.parts import Answer
from core.front.served import SPENT_BEFORE, Served, observers
from core.front.site import site_key, site_of
from core.front.table import UNMATCHED, Spot, Table, table_of
from core.middleware import id_of_request
from core.spent import Spent, current
from core.sqlite_backend.base import is_gone

StartResponse = Callable[..., Any]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]
# What all of these do to a request as it is answered here is done here too, or the request goes to Django.
KNOWN_MIDDLEWARE = frozenset(
    {
        "monitoring.tracing.TracingMiddleware",
        "monitoring.performance.middleware.PerformanceMiddleware",
        "django_prometheus.middleware.PrometheusBeforeMiddleware",
        "core.middleware.RequestContextMiddleware",
        "core.headers.SecurityHeadersMiddleware",
        "monitoring.middleware.ProbeMiddleware",
        "monitoring.middleware.DatabaseFileMiddleware",
        "corsheaders.middleware.CorsMiddleware",
        "accounts.origin.OriginMiddleware",
        "django.middleware.security.SecurityMiddleware",
        "whitenoise.middleware.WhiteNoiseMiddleware",
        "core.middleware.ApiMiddleware",
        "core.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "accounts.second_factor_guard.SecondFactorMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
        "monitoring.metrics.middleware.BoundedPrometheusAfterMiddleware",
    }
)
# A request with one of these may be answered in another way. Sessions have their say to a cookie: they delete what has
# ended.
_SPECIAL = frozenset({"HTTP_COOKIE", "HTTP_ORIGIN", "HTTP_API_VERSION", "HTTP_TRANSFER_ENCODING"})
_STATUS_LINES = {status: f"{status} {responses[status]}" for status in (200, 304, 401, 404, 422)}
_METHODS = frozenset({"GET", "POST"})
_now = time.perf_counter_ns


class FrontDoor:
    """Around Django's application, with the same settings for as long as it lives."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._is_open = KNOWN_MIDDLEWARE.issuperset(settings.MIDDLEWARE)
        self._with_origin = settings.CORS_MIDDLEWARE in settings.MIDDLEWARE
        self._file = database_file()
        # Names are what clients claim: only so many are remembered.
        self._site_of = lru_cache(maxsize=256)(site_of)

    @cached_property
    def _table(self) -> Table:
        return table_of(settings.ROOT_URLCONF)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        if environ["REQUEST_METHOD"] in _METHODS and environ["PATH_INFO"].startswith("/api/v") and self._is_open:
            body = self._answer(environ, start_response)
            if body is not None:
                return body
        return self._application(environ, start_response)

    def _answer(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes] | None:
        began = _now()
        is_post = environ["REQUEST_METHOD"] == "POST"
        if not _SPECIAL.isdisjoint(environ) or not (is_post or _is_bare(environ)) or settings.RENDEROWL_API_MARKS:
            return None
        path = environ["PATH_INFO"]
        if environ.get("SCRIPT_NAME"):
            # A service below a path of its own.
            return None
        spot = self._table.find(path)
        site = None if spot is None else self._site_of(site_key(environ))
        if spot is None or site is None or (is_post and spot.write is None) or is_gone(self._file):
            return None
        _let_failed_connection_go()
        spent = Spent()
        id_text = id_of_request(environ)
        spending, naming = current.set(spent), request_id.set(id_text)
        try:
            found = answer_post(environ, spot) if is_post else answer(environ, spot, site)
        finally:
            request_id.reset(naming)
            current.reset(spending)
        if found is None:
            environ[SPENT_BEFORE] = (spent, began)
            return None
        headers = found.headers
        headers += site.headers
        self._add_last(headers, found, id_text)
        took_us = max(0, _now() - began) // 1000
        headers.append(("Server-Timing", f"app;dur={took_us // 1000}.{took_us % 1000:03d}"))
        _tell(spot, environ["REQUEST_METHOD"], found, took_us, id_text, spent)
        if tracing.is_on():
            _keep_span(environ, spot, found, took_us, id_text)
        start_response(_STATUS_LINES[found.status], headers)
        return (found.body,)

    def _add_last(self, headers: list[tuple[str, str]], found: Answer, id_text: str) -> None:
        headers.append(("X-Request-Id", id_text))
        headers.append(("Content-Length", str(len(found.body))))
        if found.cache:
            headers += (("X-Cache", found.cache), ("Date", date_of(int(time.time()))))
        if self._with_origin:
            for index, (name, value) in enumerate(headers):
                if name == "Vary":
                    headers[index] = (name, f"{value}, origin")
                    return
            headers.append(("Vary", "origin"))


def _let_failed_connection_go() -> None:
    """Do what Django does between requests, which it has done after its own: what has failed is not used again."""
    ours = connections["default"]
    if ours.errors_occurred or ours.close_at is not None or ours.vendor != "sqlite":
        ours.close_if_unusable_or_obsolete()


def _is_bare(environ: dict[str, Any]) -> bool:
    """Return whether a request has no body."""
    return environ.get("CONTENT_LENGTH") in {None, "", "0"}


def _tell(spot: Spot, method: str, found: Answer, took_us: int, id_text: str, spent: Spent) -> None:
    size = len(found.body)
    served = Served(spot.route, spot.view, method, found.status, took_us, size, found.cache, id_text, spent)
    for observer in observers:
        observer(served)


def _keep_span(environ: dict[str, Any], spot: Spot, found: Answer, took_us: int, id_text: str) -> None:
    """Keep the span of an answer once it is there, with the names that `monitoring.tracing` gives."""
    route = None if spot.route == UNMATCHED else spot.route
    attributes: tracing.Attributes = {
        "http.request.method": environ["REQUEST_METHOD"],
        "http.route": route,
        "http.response.status_code": found.status,
        "url.scheme": environ["wsgi.url_scheme"],
        "renderowl.request.id": id_text,
    }
    name = f"{environ['REQUEST_METHOD']} {route}" if route else environ["REQUEST_METHOD"]
    parent = tracing.read_traceparent(environ.get("HTTP_TRACEPARENT", ""))
    began_ns = time.time_ns() - took_us * 1000
    tracing.begin(name, kind=tracing.Kind.SERVER, attributes=attributes, parent=parent, began_ns=began_ns).end()
