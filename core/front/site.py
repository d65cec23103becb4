"""What the name and scheme of a request decide, once for each: whether it is let in, and headers of every answer."""

from __future__ import annotations

from io import BytesIO
from typing import Any, NamedTuple

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.security import SecurityMiddleware

from core.api.addresses import base_url
from core.headers import SecurityHeadersMiddleware

Header = tuple[str, str]


class Site(NamedTuple):
    """A name and scheme of this service. base: of its links; headers: what middleware writes on each answer."""

    base: str
    headers: tuple[Header, ...]


def site_key(environ: dict[str, Any]) -> tuple[str | None, ...]:
    """Return what a site is told apart by."""
    proxy: tuple[str, str] | None = settings.SECURE_PROXY_SSL_HEADER
    return (
        environ.get("wsgi.url_scheme", "http"),
        environ.get(proxy[0], "") if proxy else "",
        environ.get("HTTP_HOST"),
        environ["SERVER_NAME"],
        environ["SERVER_PORT"],
    )


def site_of(key: tuple[str | None, ...]) -> Site | None:
    """Return the site of a key, None for a wrong name, and where the client is to be sent to another scheme."""
    scheme, forwarded, host, server_name, server_port = key
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/api/v1/",
        "wsgi.url_scheme": scheme,
        "wsgi.input": BytesIO(),
        "SERVER_NAME": server_name,
        "SERVER_PORT": server_port,
    }
    proxy: tuple[str, str] | None = settings.SECURE_PROXY_SSL_HEADER
    environ |= {proxy[0]: forwarded} if proxy and forwarded else {}
    # A name that is empty is a wrong one; where none was sent, the server's own is taken.
    environ |= {} if host is None else {"HTTP_HOST": host}
    request = WSGIRequest(environ)
    try:
        request.get_host()
    except DisallowedHost:
        return None
    inner: Any = SecurityMiddleware(XFrameOptionsMiddleware(_empty))
    response = SecurityHeadersMiddleware(inner)(request)
    if response.status_code != 200:
        return None
    del response.headers["Content-Type"]
    return Site(base_url(request), tuple(response.items()))


def _empty(request: HttpRequest) -> HttpResponseBase:
    return HttpResponse()
