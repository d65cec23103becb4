"""Middleware that makes the client's address available to the audit log."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from accounts.authentication import client_address
from core.context import current_client_address


class ClientAddressMiddleware:
    """Set `current_client_address` while a request is served."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Serve the request with the context variable set."""
        token = current_client_address.set(partial(client_address, request))
        try:
            return self.get_response(request)
        finally:
            current_client_address.reset(token)
