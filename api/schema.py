"""OpenAPI schema generation: one document per version, including problem responses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import build_mock_request as spectacular_mock_request
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from api import lifecycle
from api.endpoints import ANY_SCOPE
from api.permissions import required_scope
from api.problems import CONTENT_TYPE
from core.models import VersionedModel

if TYPE_CHECKING:
    # DRF's settings name this module, so it is imported while `rest_framework.views` is half loaded.
    from rest_framework.views import APIView

PROBLEM_COMPONENT = {
    "type": "object",
    "description": "An RFC 9457 problem document.",
    "required": ["type", "title", "status", "detail", "instance", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "instance": {"type": "string", "format": "uri"},
        "code": {"type": "string"},
        "errors": {
            "type": "array",
            "maxItems": 50,
            "items": {
                "type": "object",
                "required": ["code", "detail"],
                "properties": {
                    "pointer": {"type": "string"},
                    "parameter": {"type": "string"},
                    "header": {"type": "string"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
        "errors_truncated": {"type": "boolean"},
    },
    "additionalProperties": True,
}
IDEMPOTENCY_PARAMETERS = [
    OpenApiParameter(
        "Idempotency-Key",
        {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[!#-+\-./0-~]{1,255}$"},
        location=OpenApiParameter.HEADER,
        description="A string chosen by the client, quoted or bare, that makes the request safe to retry: a retry gets "
        "the first response and has no second effect. Responses are stored for 24 hours unless configured otherwise.",
    ),
    OpenApiParameter(
        "Idempotent-Replayed",
        {"type": "string", "enum": ["true"]},
        location=OpenApiParameter.HEADER,
        response=[200, 201, 202],
        description="The response is the stored one of the first request with the key.",
    ),
]
_TAGS = {"type": "string", "maxLength": 4000, "example": '"1qK0Zb3lGdLr6lRv4nXw"'}
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match",
    _TAGS,
    location=OpenApiParameter.HEADER,
    description="ETags of responses that the client has cached; if one is current, the response is an empty 304.",
)
IF_MATCH = OpenApiParameter(
    "If-Match",
    _TAGS,
    location=OpenApiParameter.HEADER,
    description="The ETag that the client has read; if the object has changed since, the request fails with 412.",
)
ETAG = OpenApiParameter(
    "ETag",
    {"type": "string"},
    location=OpenApiParameter.HEADER,
    response=[200],
    description="The value to send in If-None-Match and, if it is strong, in If-Match.",
)
_VERSION = re.compile(r"/api/v(\d+)/")
_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
_DESCRIPTIONS = {
    "400": "Unreadable request or parameter",
    "401": "No valid credential",
    "403": "The credential lacks the scope",
    "404": "No such object",
    "406": "No acceptable representation",
    "409": "The state does not allow this",
    "410": "No longer served",
    "411": "An upload without Content-Length",
    "412": "Changed since it was read",
    "413": "Body too large",
    "415": "Unsupported content type",
    "422": "Invalid values",
    "428": "If-Match is missing",
    "429": "Too many requests",
    "503": "Try again later",
}


def build_mock_request(method: str, path: str, view: APIView, original_request: Request | None, **kwargs: Any) -> Any:
    """Return the request for schema generation, with the version of the path."""
    request = spectacular_mock_request(method, path, view, original_request, **kwargs)
    match = _VERSION.search(path)
    request.version = request.api_version = int(match[1]) if match else 2
    return request


class ProblemAutoSchema(AutoSchema):
    """Document what the base view guarantees: problem responses, scopes and conditional requests."""

    def get_override_parameters(self) -> list[Any]:
        """Return the headers of conditional requests, and those of idempotent actions."""
        if self.method == "GET":
            return [IF_NONE_MATCH, ETAG]
        if self._is_guarded():
            return [IF_MATCH]
        handler = getattr(self.view, getattr(self.view, "action", None) or self.method.lower(), None)
        return IDEMPOTENCY_PARAMETERS if getattr(handler, "is_idempotent", False) else []

    def _is_guarded(self) -> bool:
        """Return whether the operation changes a versioned row."""
        model = getattr(getattr(self.view, "queryset", None), "model", None)
        return (
            self.method in {"PUT", "PATCH", "DELETE"} and isinstance(model, type) and issubclass(model, VersionedModel)
        )

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        """Return the operation with its problem responses."""
        operation = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        if self.method == "GET":
            operation["responses"].setdefault("304", {"description": "The client's copy is current"})
        deprecation = lifecycle.find_deprecation(
            int(getattr(self.view.request, "version", 0) or 0), getattr(self.view, "route_name", "")
        )
        if deprecation is not None:
            operation["deprecated"] = True
        for status in self._problem_statuses() + (["410"] if deprecation is not None and deprecation.sunset_at else []):
            operation["responses"].setdefault(
                status,
                {
                    "description": _DESCRIPTIONS[status],
                    "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
                },
            )
        scope = required_scope(self.view, self.method)
        if scope and scope != ANY_SCOPE:
            operation["x-required-scope"] = scope
        return operation

    def _resolve_path_parameters(self, variables: list[str]) -> list[dict[str, Any]]:
        """Describe ids with the prefix of their kind."""
        parameters: list[dict[str, Any]] = super()._resolve_path_parameters(variables)  # type: ignore[no-untyped-call]
        prefix = getattr(getattr(getattr(self.view, "queryset", None), "model", None), "ID_PREFIX", "")
        for parameter in parameters:
            if prefix and parameter["name"] == "id" and parameter["schema"].get("format") == "uuid":
                parameter["schema"] = {"type": "string", "pattern": f"^{prefix}_[0-9a-hjkmnp-tv-z]{{26}}$"}
                parameter["description"] = "The id, as in responses."
        return parameters

    def _problem_statuses(self) -> list[str]:
        statuses = {"400", "404", "406", "429", "503"}
        if self.view.permission_classes:
            statuses |= {"401", "403"}
        if self.method in _BODY_METHODS:
            statuses |= {"413", "415", "422"}
            if any(parser.media_type == "multipart/form-data" for parser in self.view.parser_classes):
                statuses.add("411")
        if self.method != "GET":
            statuses.add("409")
        if self._is_guarded():
            statuses.add("412")
            if getattr(self.view, "requires_if_match", False):
                statuses.add("428")
        return sorted(statuses | set(getattr(self.view, "extra_problem_statuses", ())))


def add_problem_component(result: dict[str, Any], generator: Any, request: HttpRequest, public: bool) -> dict[str, Any]:
    """Add the Problem component that error responses refer to."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM_COMPONENT
    return result
