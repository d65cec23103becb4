"""Show a secret on the page after a redirect, once: reloading that page, or going back to it, shows and makes nothing.

The session keeps the text only under a one-time pad, and the pad lies in a cookie of the page: neither the database nor
the cookie tells anything without the other.
"""

from __future__ import annotations

import base64
import secrets

from django.http import HttpRequest, HttpResponse

_COOKIE = "shown_once"
_MAX_AGE_S = 300


def flash_secret(request: HttpRequest, response: HttpResponse, *, name: str, text: str, path: str) -> None:
    """Keep a text for the page at `path`, to which the response leads."""
    plain = text.encode()
    pad = secrets.token_bytes(len(plain))
    request.session[_key(name)] = _xor(plain, pad).hex()
    response.set_cookie(
        _COOKIE,
        base64.urlsafe_b64encode(pad).decode(),
        max_age=_MAX_AGE_S,
        path=path,
        secure=request.is_secure(),
        httponly=True,
        samesite="Strict",
    )


def pop_secret(request: HttpRequest, *, name: str) -> str | None:
    """Return the text and forget it; None where it was taken, or left for another browser."""
    kept = request.session.pop(_key(name), None)
    if kept is None:
        return None
    mixed = bytes.fromhex(kept)
    try:
        pad = base64.urlsafe_b64decode(request.COOKIES.get(_COOKIE, ""))
        return _xor(mixed, pad).decode() if len(pad) == len(mixed) else None
    except ValueError:
        return None


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def _key(name: str) -> str:
    return f"shown_once:{name}"
