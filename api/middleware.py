"""API middleware: request ids, version selection, body limits and problem documents."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any

from django.conf import settings
from django.contrib.sessions import middleware as sessions
from django.core.exceptions import DisallowedHost
from django.db import OperationalError
from django.http import HttpRequest, HttpResponseBase
from django.utils.cache import patch_vary_headers
from opentelemetry.trace import get_current_span

from api import lifecycle
from api.problem_types import code_of_status
from api.problems import CONTENT_TYPE, problem_response
from api.requests import ApiRequest
from api.versioning import ChosenVersion, choose_version
from core import tracing
from core.context import LogContext, bind_log_context, request_id
from core.database import transient_error
from core.exceptions import DomainError, InvalidHeader, PayloadTooLarge, Unavailable
from core.ids import uuid7

GetResponse = Callable[[HttpRequest], HttpResponseBase]
_CLIENT_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_API_PATHS = re.compile(r"^/(api|internal|webhooks)(/|$)")
# Always served as the newest version; the request cannot choose another.
_UNVERSIONED_PATHS = re.compile(r"^/(internal|webhooks)(/|$)")
_PROBE_PATHS = re.compile(r"^/(live|ready|health|metrics)(/|$)")
_HTML_PATHS = re.compile(r"^/api/(docs|redoc)/?$")
# Error responses of these types are already machine-readable.
MACHINE_TYPES = (CONTENT_TYPE, "application/health+json")
logger = logging.getLogger(__name__)


class RequestContextMiddleware:
    """Assign each request an id, and return it in X-Request-Id."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: ApiRequest) -> HttpResponseBase:
        """Serve the request with its id and log context set."""
        current = id_of_request(request.META)
        request.request_id = current
        token = request_id.set(current)
        try:
            with bind_log_context(LogContext()) as found:
                response = self.get_response(request)
            if tracing.is_enabled():
                known = {"renderowl.request.id": current, "renderowl.account.id": found.account_id or None}
                tracing.set_attributes(get_current_span(), known)
        finally:
            request_id.reset(token)
        response["X-Request-Id"] = current
        return response


def id_of_request(meta: Mapping[str, Any]) -> str:
    """Return the client's X-Request-Id, a new id if it is missing or malformed."""
    given = meta.get("HTTP_X_REQUEST_ID", "")
    return given if _CLIENT_REQUEST_ID.fullmatch(given) else str(uuid7())


class ApiMiddleware:
    """Choose the API version, limit the body, and turn HTML errors into problem documents."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: ApiRequest) -> HttpResponseBase:
        """Serve a request; paths outside the API pass unchanged."""
        is_api = _API_PATHS.match(request.path_info)
        if not is_api and not _PROBE_PATHS.match(request.path_info):
            return self.get_response(request)
        try:
            response = self._serve(request)
        except DomainError as error:
            response = _problem_of(error)
        if response.status_code >= 400 and not response.get("Content-Type", "").startswith(MACHINE_TYPES):
            # Django's own errors: no such URL, a suspicious request, an unhandled exception.
            was_logged = getattr(response, "_has_been_logged", False)
            response = problem_response(code_of_status(response.status_code), http_status=response.status_code)
            response._has_been_logged = was_logged  # type: ignore[attr-defined]  # noqa: SLF001 - one line is enough
        if not response.streaming and "Content-Length" not in response:
            # Responses created outside of Django's CommonMiddleware, which sets it.
            response["Content-Length"] = str(len(response.content))  # type: ignore[attr-defined]  # not streaming
        if is_api:
            _add_version_headers(request, response)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponseBase | None:
        """Answer database locks and full disks with a problem document, in the admin too."""
        transient = transient_error(exception)
        if transient is None:
            return None
        logger.warning("%s: %s", transient.code, exception)
        return _problem_of(transient)

    def _serve(self, request: ApiRequest) -> HttpResponseBase:
        _check_host(request)
        if request.path_info.endswith("/") and not _HTML_PATHS.match(request.path_info):
            request.path_info = request.path_info.rstrip("/")
        deprecated = None
        if _UNVERSIONED_PATHS.match(request.path_info):
            request.api_version = max(settings.RENDEROWL_API_VERSIONS)
        elif request.path_info.startswith("/api/") and not _HTML_PATHS.match(request.path_info):
            deprecated = _select_version(request)
        if deprecated is not None:
            lifecycle.refuse_sunset(deprecated)
        if _is_too_large(request):
            return problem_response("payload_too_large", limit_bytes=settings.RENDEROWL_BODY_LIMIT_BYTES)
        if _is_chunked(request):
            if request.content_type == "multipart/form-data":
                return problem_response("length_required")
            _read_chunked_body(request)
        response = self.get_response(request)
        if deprecated is not None:
            lifecycle.notify_observers(deprecated, getattr(request, "auth", None))
        return response


class SessionMiddleware(sessions.SessionMiddleware):
    """Django's; it writes after the view, where no exception handler runs."""

    def process_response(self, request: HttpRequest, response: Any) -> Any:
        """Save the session, or return a problem document if the database is locked or full."""
        try:
            return super().process_response(request, response)
        except OperationalError as error:
            transient = transient_error(error)
            if transient is None:
                raise
            logger.warning("%s: %s", transient.code, error)
            return _problem_of(transient)


def _select_version(request: ApiRequest) -> lifecycle.DeprecatedRoute | None:
    """Set the request's version and its deprecation, which is returned; add the version to a path without one."""
    chosen = choose_version(request)
    if not chosen.in_path:
        request.path_info = f"/api/v{chosen.number}{request.path_info.removeprefix('/api')}"
    deprecated = lifecycle.find_deprecated_route(chosen.number, request.path_info)
    request.api_version, request.api_choice, request.api_deprecated_route = chosen.number, chosen, deprecated
    return deprecated


def _add_version_headers(request: ApiRequest, response: HttpResponseBase) -> None:
    """Add API-Version, Vary and the deprecation headers."""
    chosen: ChosenVersion | None = getattr(request, "api_choice", None)
    number = getattr(request, "api_version", settings.RENDEROWL_DEFAULT_API_VERSION)
    response["API-Version"] = str(chosen.number if chosen else number)
    if chosen is not None and chosen.varies_on:
        patch_vary_headers(response, chosen.varies_on)
    deprecated: lifecycle.DeprecatedRoute | None = getattr(request, "api_deprecated_route", None)
    if deprecated is not None:
        lifecycle.add_deprecation_headers(deprecated, response)


def _problem_of(error: DomainError) -> HttpResponseBase:
    response = problem_response(error.code, error.detail, error.status, **error.members)
    if isinstance(error, Unavailable):
        response["Retry-After"] = str(error.retry_after_s)
    return response


def _is_too_large(request: HttpRequest) -> bool:
    """Return whether Content-Length is over the limit; uploads have limits of their own."""
    if request.content_type == "multipart/form-data":
        return False
    length = request.META.get("CONTENT_LENGTH") or "0"
    return not length.isdigit() or int(length) > settings.RENDEROWL_BODY_LIMIT_BYTES


def _check_host(request: HttpRequest) -> None:
    """Raise InvalidHeader if the Host header is none of this service's names."""
    try:
        request.get_host()
    except DisallowedHost:
        detail = "The Host header is not a name of this service."
        raise InvalidHeader("Host", detail) from None


def _is_chunked(request: HttpRequest) -> bool:
    meta = request.META
    return not meta.get("CONTENT_LENGTH") and "chunked" in meta.get("HTTP_TRANSFER_ENCODING", "").lower()


def _read_chunked_body(request: HttpRequest) -> None:
    """Read a chunked body, which Django would ignore, and set its length; raise PayloadTooLarge."""
    limit = settings.RENDEROWL_BODY_LIMIT_BYTES
    body = request.META["wsgi.input"].read(limit + 1)
    if len(body) > limit:
        raise PayloadTooLarge(limit_bytes=limit)
    request.META["CONTENT_LENGTH"] = str(len(body))
    request._stream = BytesIO(body)  # noqa: SLF001 - there is no public way
