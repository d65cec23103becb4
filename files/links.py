"""Links to stored files that need no credential: signed, and good for a limited time.

A link is `/files/<token>/<name>`. The token holds what is to be sent and until when; the signature covers it and the
name, so nothing about an answer can be chosen by whoever holds a link.
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

# A link made now and one made in an hour are equal unless a step lies between, so that lists, and their tags, are.
EXPIRY_STEPS = 4
_SIGNATURE_BYTES = 32
_SALT = b"renderowl.core.files"
_UNSAFE = re.compile(r"[^\w.\- ()\[\]]")


class LinkInvalid(DomainError):
    """The link was altered or was not made here."""

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
    """What a link stands for.

    tag: what changes when the bytes do, e.g. their SHA-256; empty where unknown. expires: Unix seconds.
    """

    key: str
    content_type: str
    name: str
    tag: str
    expires: int


def signed_path(*, key: str, content_type: str, filename: str, tag: str = "", ttl_s: int | None = None) -> SignedUrl:
    """Return a link to a stored file, without a host: for pages of this server.

    tag: e.g. the SHA-256 of the file, becomes its ETag. ttl_s: the least time that the link works; it may be a quarter
    more. By default SIGNED_URL_TTL_S.
    """
    life = settings.RENDEROWL_SIGNED_URL_TTL_S if ttl_s is None else ttl_s
    expires = _expiry(life)
    path = _path_of(key, content_type, filename, tag, expires, settings.SECRET_KEY)
    return SignedUrl(path, datetime.fromtimestamp(expires, tz=UTC))


class SignedUrlBuilder:
    """Makes the links of one answer. expires_text: when they end, as the API writes it."""

    def __init__(self, base: str) -> None:
        """base: scheme and host, as `base_url` has them."""
        self._base, self._secret = base, settings.SECRET_KEY
        self._expires = _expiry(settings.RENDEROWL_SIGNED_URL_TTL_S)
        self.expires_text = format_time(datetime.fromtimestamp(self._expires, tz=UTC))

    def url(self, key: str, content_type: str, filename: str, tag: str = "") -> str:
        """Return an absolute link to a stored file; otherwise as `signed_path`."""
        return self._base + _path_of(key, content_type, filename, tag, self._expires, self._secret)


# Until the step of time ends, every answer that shows a file shows this link; lists show hundreds.
@functools.lru_cache(maxsize=8192)
def _path_of(key: str, content_type: str, filename: str, tag: str, expires: int, secret: str) -> str:
    link = FileLink(key, content_type, safe_filename(filename), tag, expires)
    return reverse("file", kwargs={"token": encode_token(link), "name": link.name})


def link_context(request: Request | HttpRequest | None) -> tuple[str, int, int]:
    """Return what the links in a body depend on besides what they lead to: host, lifetime, and the step of time.

    Two bodies with links are equal only under an equal context; entity tags take it in.
    """
    life = settings.RENDEROWL_SIGNED_URL_TTL_S
    return base_url(request), life, _expiry(life)


def _expiry(life: int) -> int:
    step = max(1, life // EXPIRY_STEPS)
    return -(-(int(time.time()) + life) // step) * step


def safe_filename(name: str) -> str:
    """Return a name that is safe as the end of a URL and between the quotes of a header."""
    text = _UNSAFE.sub("_", name).strip(". ")
    return text[-100:] or "file"


def encode_token(link: FileLink) -> str:
    """Return the signed text of a link, all but its name."""
    payload = orjson.dumps([link.key, link.content_type, link.tag, link.expires])
    return base64.urlsafe_b64encode(_sign(payload, link.name) + payload).rstrip(b"=").decode()


def verify_token(token: str, name: str) -> FileLink:
    """Return what a link stands for.

    Raises LinkInvalid, or LinkExpired once its time is over.
    """
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
    # The length keeps payload and name from being divided differently.
    message = b"%d:%b%b" % (len(payload), payload, name.encode())
    return hmac.digest(_signing_key(settings.SECRET_KEY), message, "sha256")


@functools.lru_cache(maxsize=4)
def _signing_key(secret: str) -> bytes:
    """Return a key of its own for this purpose, so that no other signature of the product can pass as one of these."""
    return hmac.digest(secret.encode(), _SALT, hashlib.sha256)


def content_disposition(name: str) -> str:
    """Return a Content-Disposition that shows the file in place and saves it under its name."""
    plain = name.encode("ascii", "replace").decode().replace("?", "_")
    return f"inline; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
