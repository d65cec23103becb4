"""Authentication once per request: the version pin, the response cache and the view share one outcome."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.settings import api_settings

from api.problems import challenge
from api.requests import ApiRequest
from core.exceptions import DomainError


class OncePerRequestAuthentication(BaseAuthentication):
    """Base of authentication classes whose outcome, a refusal too, stays on the HTTP request."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        """Return the user and the credential; None where the request carries no credential of this kind.

        Raises what `read_credential` raises, each time the same.
        """
        http_request = cast("ApiRequest", request._request)  # noqa: SLF001 - DRF's request lives for one view only
        if not hasattr(http_request, "authentication_outcomes"):
            http_request.authentication_outcomes = {}
        outcomes = http_request.authentication_outcomes
        if type(self) not in outcomes:
            try:
                outcomes[type(self)] = self.read_credential(http_request)
            except DomainError as refusal:
                outcomes[type(self)] = refusal
        outcome = outcomes[type(self)]
        if isinstance(outcome, DomainError):
            raise outcome
        return outcome  # type: ignore[no-any-return]

    def read_credential(self, request: HttpRequest) -> tuple[Any, Any] | None:
        """Verify the credential of a request; called once.

        Raises a DomainError for a credential that is no good.
        """
        raise NotImplementedError

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401."""
        return challenge("unauthenticated")


def authenticate(request: HttpRequest, classes: Iterable[type[BaseAuthentication]] = ()) -> Request | None:
    """Return the request as DRF sees it, authenticated; None where its credential is missing or refused.

    The view refuses such a request, with the outcome that is kept here. classes: by default those of the settings.
    """
    chosen: Any = classes or api_settings.DEFAULT_AUTHENTICATION_CLASSES
    found = Request(request, authenticators=[authentication() for authentication in chosen])
    try:
        return found if found.user.is_authenticated else None
    except DomainError:
        return None
