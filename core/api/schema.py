"""OpenAPI: one document a version, problems included."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import build_mock_request as spectacular_mock_request
from rest_framework.request import Request

from core.api.permissions import ANY_SCOPE, required_scope
from core.api.problems import CONTENT_TYPE

if TYPE_CHECKING:
    # DRF loads this module, named in its settings, while its own views module is half loaded.
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
_VERSION = re.compile(r"/api/v(\d+)/")
_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
_DESCRIPTIONS = {
    "400": "Unreadable request or parameter",
    "401": "No valid credential",
    "403": "The credential lacks the scope",
    "404": "No such object",
    "406": "No acceptable representation",
    "409": "The state does not allow this",
    "411": "An upload without Content-Length",
    "413": "Body too large",
    "415": "Unsupported content type",
    "422": "Values that cannot be used",
    "429": "Too many requests",
    "503": "Try again later",
}


def build_mock_request(method: str, path: str, view: APIView, original_request: Request | None, **kwargs: Any) -> Any:
    """Return the request that views see while the schema is built, carrying the version of the path."""
    request = spectacular_mock_request(method, path, view, original_request, **kwargs)
    match = _VERSION.search(path)
    request.version = request.api_version = int(match[1]) if match else 2
    return request


class ProblemAutoSchema(AutoSchema):
    """Document what the base view guarantees: problems, scopes, credentials."""

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        """Return the operation with its problem responses."""
        operation = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        for status in self._problem_statuses():
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
        return sorted(statuses | set(getattr(self.view, "extra_problem_statuses", ())))


def add_problem_component(result: dict[str, Any], generator: Any, request: HttpRequest, public: bool) -> dict[str, Any]:
    """Add the Problem component that every refusal refers to."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM_COMPONENT
    return result
