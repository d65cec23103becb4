"""Headers that tell browsers what an answer may do: on every answer, by where it comes from."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from django.http import HttpRequest
from django.http.response import HttpResponseBase

# Nothing that the API sends is a page: should a browser take it for one, it may load and run nothing.
NOTHING = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
# A file opened by itself is shown by the browser's own player, which is a page around the file.
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
# The theme computes what its attributes say (`x-data="{ open: false }"`), for which browsers want 'unsafe-eval'.
# Scripts in the page itself stay forbidden, so text that slips through unescaped runs nothing.
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
    """Write the headers on whatever leaves, answers of other middleware included."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Serve the request; what a view has said for itself stays."""
        # Before anything rewrites the path.
        path = request.path_info
        response = self.get_response(request)
        for name, value in _headers_of(path).items():
            response.setdefault(name, value)
        return response


def content_policy(path: str) -> str:
    """Return the Content-Security-Policy of what lies at a path."""
    return next((policy for pattern, policy in _POLICIES if pattern.match(path)), NOTHING)


@lru_cache(maxsize=512)
def _headers_of(path: str) -> dict[str, str]:
    return {
        "Content-Security-Policy": content_policy(path),
        "Cross-Origin-Opener-Policy": "same-origin",
        # Pages of customers may show the files that they have links to, and nothing else of ours.
        "Cross-Origin-Resource-Policy": "cross-origin" if path.startswith("/files/") else "same-origin",
        "Permissions-Policy": PERMISSIONS,
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
