"""Security headers of every response: Content-Security-Policy by path, and its relatives."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from django.http import HttpRequest
from django.http.response import HttpResponseBase

# API responses are not pages: a browser that renders one may load and run nothing.
NOTHING = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
# A browser shows a media file with its own player, in a page with inline styles.
_FILES = (
    "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_PAGES = (
    "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_REFERENCE = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; worker-src blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
# The theme evaluates its attributes (`x-data="{ open: false }"`), for which browsers require 'unsafe-eval'.
# Inline scripts stay forbidden, so unescaped text runs nothing.
_ADMIN = (
    "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "media-src 'self'; font-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
_POLICIES = (
    (re.compile(r"^/admin(/|$)"), _ADMIN),
    (re.compile(r"^/api/(docs|redoc)/?$"), _REFERENCE),
    (re.compile(r"^/(docs|problems)/"), _PAGES),
    (re.compile(r"^/files/"), _FILES),
)
PERMISSIONS = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer",
        "bluetooth",
        "camera",
        "display-capture",
        "geolocation",
        "gyroscope",
        "hid",
        "magnetometer",
        "microphone",
        "midi",
        "payment",
        "publickey-credentials-get",
        "serial",
        "usb",
        "xr-spatial-tracking",
    )
)


class SecurityHeadersMiddleware:
    """Set security headers on every response, also of other middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Serve the request; headers that a view has set stay."""
        # Before anything rewrites the path.
        path = request.path_info
        response = self.get_response(request)
        for name, value in _headers_of(path).items():
            response.setdefault(name, value)
        return response


def content_policy(path: str) -> str:
    """Return the Content-Security-Policy of a path."""
    return next((policy for pattern, policy in _POLICIES if pattern.match(path)), NOTHING)


@lru_cache(maxsize=512)
def _headers_of(path: str) -> dict[str, str]:
    return {
        "Content-Security-Policy": content_policy(path),
        "Cross-Origin-Opener-Policy": "same-origin",
        # Pages of customers may embed the files that they have links to, and nothing else.
        "Cross-Origin-Resource-Policy": "cross-origin" if path.startswith("/files/") else "same-origin",
        "Permissions-Policy": PERMISSIONS,
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
