"""Problem documents (RFC 9457): the exception handler of the views, and responses outside of DRF."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from rest_framework import exceptions, status
from rest_framework.response import Response

from api.problem_types import PROBLEM_TYPES, code_of_status
from core.context import request_id
from core.database import transient_error
from core.exceptions import DomainError, Unprocessable

CONTENT_TYPE = "application/problem+json"
logger = logging.getLogger(__name__)


def build_problem(code: str, detail: str, http_status: int | None = None, **members: Any) -> dict[str, Any]:
    """Return a problem document (RFC 9457, section 3.1). http_status: only for a code with several."""
    problem = PROBLEM_TYPES[code]
    return {
        "type": f"/problems/{problem.slug}",
        "title": problem.title,
        "status": http_status or problem.status,
        "detail": detail or problem.explanation,
        "instance": f"urn:uuid:{request_id.get()}",
        "code": code,
        **members,
    }


def problem_response(code: str, detail: str = "", http_status: int | None = None, **members: Any) -> HttpResponse:
    """Return a problem as a plain Django response, for code outside of DRF."""
    body = build_problem(code, detail, http_status, **members)
    response = HttpResponse(orjson.dumps(body), status=body["status"], content_type=CONTENT_TYPE)
    if body["status"] == 401:
        response["WWW-Authenticate"] = challenge(code)
    return response


def challenge(code: str) -> str:
    """Return the WWW-Authenticate header of a 401. Source: RFC 6750, section 3."""
    if code == "unauthenticated":
        return 'Bearer realm="renderowl"'
    return f'Bearer realm="renderowl", error="invalid_token", error_description="{code}"'


def exception_handler(exc: Exception, context: Mapping[str, Any]) -> Response | None:
    """Turn a view's exception into a problem document; None leaves unknown errors to Django's 500."""
    headers: dict[str, str] = {}
    if isinstance(exc, Http404):
        exc = exceptions.NotFound()
    elif isinstance(exc, PermissionDenied):
        exc = exceptions.PermissionDenied()
    elif (transient := transient_error(exc)) is not None:
        # No traceback: while it lasts, every request that writes logs this.
        logger.warning("%s: %s", transient.code, exc)
        exc = transient
    if isinstance(exc, DomainError):
        body = build_problem(exc.code, exc.detail, exc.status, **exc.members)
        if exc.retry_after_s is not None:
            headers["Retry-After"] = str(exc.retry_after_s)
    elif isinstance(exc, exceptions.APIException):
        body = _of_api_exception(exc, context.get("view"))
        wait_s: float | None = getattr(exc, "wait", None)
        if wait_s is not None:
            headers["Retry-After"] = str(math.ceil(wait_s))
    else:
        return None
    if body["status"] == status.HTTP_401_UNAUTHORIZED:
        headers["WWW-Authenticate"] = challenge(body["code"])
    return Response(body, status=body["status"], headers=headers, content_type=CONTENT_TYPE)


def _of_api_exception(exc: exceptions.APIException, view: Any) -> dict[str, Any]:
    if isinstance(exc, exceptions.ValidationError):
        return build_validation_problem(exc.detail)
    members: dict[str, Any] = {}
    code = code_of_status(exc.status_code)
    if isinstance(exc, exceptions.ParseError):
        code = "malformed_json"
    elif isinstance(exc, exceptions.AuthenticationFailed | exceptions.NotAuthenticated):
        given = getattr(exc.detail, "code", "")
        code = given if given in PROBLEM_TYPES else "unauthenticated"
    elif isinstance(exc, exceptions.UnsupportedMediaType):
        members["accepted"] = [parser.media_type for parser in getattr(view, "parser_classes", ())]
    detail = "No such object." if exc.status_code == status.HTTP_404_NOT_FOUND else str(exc.detail)
    return build_problem(code, detail, exc.status_code, **members)


def build_validation_problem(detail: Any) -> dict[str, Any]:
    """Return the problem document of an invalid body. detail: the serializer's errors."""
    refusal = Unprocessable(list(flatten_errors(detail)))
    return build_problem(refusal.code, "", **refusal.members)


def flatten_errors(detail: Any, pointer: str = "") -> Iterator[dict[str, str]]:
    """Yield serializer errors with JSON pointers. detail: DRF's nested dicts and lists of ErrorDetail strings."""
    if isinstance(detail, Mapping):
        for key, value in detail.items():
            name = str(key).replace("~", "~0").replace("/", "~1")
            inner = pointer if key == "non_field_errors" else f"{pointer}/{name}"
            yield from flatten_errors(value, inner)
    elif isinstance(detail, list):
        plain = all(isinstance(item, str) for item in detail)
        for index, item in enumerate(detail):
            yield from flatten_errors(item, pointer if plain else f"{pointer}/{index}")
    else:
        yield {"pointer": pointer, "code": getattr(detail, "code", "invalid"), "detail": str(detail)}
