"""Authentication that runs once per request: version pin, response cache and view share one outcome."""

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
    """Base of authentication classes: the outcome, also a refusal, is stored on the HTTP request and reused."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        """Return user and credential, None without a credential of this kind; raise as `read_credential` does."""
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
        """Verify the credential of a request; called once per request. Raises a DomainError if it is invalid."""
        raise NotImplementedError

    def authenticate_header(self, request: Request) -> str:
        """Return the WWW-Authenticate challenge of a 401."""
        return challenge("unauthenticated")


def authenticate(request: HttpRequest, classes: Iterable[type[BaseAuthentication]] = ()) -> Request | None:
    """Return the authenticated DRF request, None if its credential is missing or refused.

    The view then refuses it with the stored outcome. classes: by default those of the settings.
    """
    chosen: Any = classes or api_settings.DEFAULT_AUTHENTICATION_CLASSES
    drf_request = Request(request, authenticators=[authentication() for authentication in chosen])
    try:
        return drf_request if drf_request.user.is_authenticated else None
    except DomainError:
        return None
