"""Signed links to stored files, valid without a credential for a limited time.

A link is `/files/<token>/<name>`. The token holds the file's key, content type and expiry; the signature covers them
and the name, so the holder of a link cannot change anything about the response.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import hmac
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote

import orjson
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from rest_framework.request import Request

from core.absolute_urls import base_url
from core.exceptions import DomainError
from core.times import format_time

# Expiry is rounded up to a step of the lifetime, so that links, and the ETags of lists, rarely change.
EXPIRY_STEPS = 4
_SIGNATURE_BYTES = 32
_SALT = b"renderowl.core.files"
_UNSAFE = re.compile(r"[^\w.\- ()\[\]]")


class LinkInvalid(DomainError):
    """The link was altered, or was not created by this service."""

    code = "signature_invalid"
    status = 403


class LinkExpired(DomainError):
    """The link has expired."""

    code = "link_expired"
    status = 410


class SignedUrl(NamedTuple):
    """url: a path; expires_at: aware UTC."""

    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class FileLink:
    """Contents of a link.

    tag: changes with the bytes, e.g. their SHA-256; empty if unknown. expires: Unix seconds.
    """

    key: str
    content_type: str
    name: str
    tag: str
    expires: int


def signed_path(*, key: str, content_type: str, filename: str, tag: str = "", ttl_s: int | None = None) -> SignedUrl:
    """Return a link to a stored file, without a host: for pages of this server.

    tag: e.g. the SHA-256 of the file, becomes its ETag. ttl_s: minimum lifetime, by default SIGNED_URL_TTL_S; rounding
    may add a quarter.
    """
    expires = _expiry(settings.RENDEROWL_SIGNED_URL_TTL_S if ttl_s is None else ttl_s)
    path = _path_of(key, content_type, filename, tag, expires, settings.SECRET_KEY)
    return SignedUrl(path, datetime.fromtimestamp(expires, tz=UTC))


class SignedUrlBuilder:
    """Creates the links of one response. expires_text: their expiry in the API's time format."""

    def __init__(self, base: str) -> None:
        """base: scheme and host, as from `base_url`."""
        self._base, self._secret = base, settings.SECRET_KEY
        self._expires = _expiry(settings.RENDEROWL_SIGNED_URL_TTL_S)
        self.expires_text = format_time(datetime.fromtimestamp(self._expires, tz=UTC))

    def url(self, key: str, content_type: str, filename: str, tag: str = "") -> str:
        """Return an absolute link to a stored file; arguments as in `signed_path`."""
        return self._base + _path_of(key, content_type, filename, tag, self._expires, self._secret)


# Cached, as the link of a file stays the same until the next step of expiry, and lists show hundreds.
@functools.lru_cache(maxsize=8192)
def _path_of(key: str, content_type: str, filename: str, tag: str, expires: int, secret: str) -> str:
    link = FileLink(key, content_type, safe_filename(filename), tag, expires)
    return reverse("file", kwargs={"token": encode_token(link), "name": link.name})


def link_context(request: Request | HttpRequest | None) -> tuple[str, int, int]:
    """Return what the links in a body depend on besides files: host, lifetime and expiry. Part of entity tags."""
    lifetime_s = settings.RENDEROWL_SIGNED_URL_TTL_S
    return base_url(request), lifetime_s, _expiry(lifetime_s)


def _expiry(lifetime_s: int) -> int:
    step = max(1, lifetime_s // EXPIRY_STEPS)
    return -(-(int(time.time()) + lifetime_s) // step) * step


def safe_filename(name: str) -> str:
    """Return a name that is safe at the end of a URL and in a quoted header value."""
    text = _UNSAFE.sub("_", name).strip(". ")
    return text[-100:] or "file"


def encode_token(link: FileLink) -> str:
    """Return the signed token of a link, which does not contain the name."""
    payload = orjson.dumps([link.key, link.content_type, link.tag, link.expires])
    return base64.urlsafe_b64encode(_sign(payload, link.name) + payload).rstrip(b"=").decode()


def verify_token(token: str, name: str) -> FileLink:
    """Return the contents of a link; raise LinkInvalid, or LinkExpired after its expiry."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise LinkInvalid from None
    signature, payload = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, _sign(payload, name)):
        raise LinkInvalid
    key, content_type, tag, expires = orjson.loads(payload)
    if time.time() >= expires:
        raise LinkExpired
    return FileLink(key, content_type, name, tag, expires)


def _sign(payload: bytes, name: str) -> bytes:
    # The length fixes where the payload ends and the name begins.
    message = b"%d:%b%b" % (len(payload), payload, name.encode())
    return hmac.digest(_signing_key(settings.SECRET_KEY), message, "sha256")


@functools.lru_cache(maxsize=4)
def _signing_key(secret: str) -> bytes:
    """Return a key for this purpose only, so that no other signature of the product is valid here."""
    return hmac.digest(secret.encode(), _SALT, hashlib.sha256)


def content_disposition(name: str) -> str:
    """Return a Content-Disposition that displays the file inline and saves it under its name."""
    plain = name.encode("ascii", "replace").decode().replace("?", "_")
    return f"inline; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
