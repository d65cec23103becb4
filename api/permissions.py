"""Permission classes: scopes and staff."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.exceptions import MethodNotAllowed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from api.endpoints import ANY_SCOPE, endpoint_of
from core.exceptions import DomainError

if TYPE_CHECKING:
    # DRF's settings name this module, so it is imported while `rest_framework.views` is half loaded.
    from rest_framework.views import APIView


class MissingScope(DomainError):
    """The credential lacks the required scope."""

    code = "missing_scope"
    status = 403


class StaffOnly(DomainError):
    """Only members of staff may do this."""

    code = "staff_only"
    status = 403


class IsStaff(BasePermission):
    """Admit members of staff only. Comes after HasScope in a view: a scope granted beyond staff is not enough."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return True, or raise StaffOnly."""
        if not getattr(request.user, "is_staff", False):
            raise StaffOnly
        return True


class HasScope(BasePermission):
    """Admit credentials with the scope of the action's `Endpoint`; an undeclared action is closed to all."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return True, or raise MissingScope with the scope's name."""
        required = required_scope(view, request.method or "GET")
        if required is None:
            if not hasattr(view, (request.method or "").lower()):
                raise MethodNotAllowed(request.method or "")
            raise MissingScope("This action is closed.")
        if has_scope(request, required):
            return True
        raise MissingScope(required_scope=required)


def has_scope(request: Request, required: str | None) -> bool:
    """Return whether the request's credential carries a scope; None is never granted."""
    if required == ANY_SCOPE:
        return True
    credential: Any = request.auth
    return credential is not None and required in credential.scopes


def required_scope(view: APIView, method: str) -> str | None:
    """Return the scope for a method of a view: ANY_SCOPE for any credential, None if it is undeclared."""
    # DRF's OPTIONS handler checks the permission of each method in turn.
    if method.upper() == "OPTIONS" or getattr(view, "action", None) == "metadata":
        return ANY_SCOPE
    endpoint = endpoint_of(view, method)
    return None if endpoint is None else endpoint.scope
