"""Absolute URLs of this service."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request


def base_url(request: Request | HttpRequest | None) -> str:
    """Return scheme and host of links: `PUBLIC_URL` if set, else those of the request."""
    if settings.PUBLIC_URL or request is None:
        return str(settings.PUBLIC_URL or "http://127.0.0.1:8000")
    return f"{request.scheme}://{request.get_host()}"


def absolute_url(request: Request | HttpRequest | None, location: str) -> str:
    """Return a path as an absolute URL."""
    return f"{base_url(request)}{location}"
