"""Flash messages for secrets: shown once, on the page after a redirect.

The session stores the text encrypted with a one-time pad, and a cookie of that page holds the pad: neither the database
nor the cookie reveals anything without the other.
"""

from __future__ import annotations

import base64
import secrets

from django.http import HttpRequest, HttpResponse

_COOKIE = "shown_once"
_MAX_AGE_S = 300


def flash_secret(request: HttpRequest, response: HttpResponse, *, name: str, text: str, path: str) -> None:
    """Store a text for the page at `path`, to which the response redirects."""
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
    """Return the text and delete it; None if it was already shown, or stored by another browser."""
    stored = request.session.pop(_key(name), None)
    if stored is None:
        return None
    encrypted = bytes.fromhex(stored)
    try:
        pad = base64.urlsafe_b64decode(request.COOKIES.get(_COOKIE, ""))
        return _xor(encrypted, pad).decode() if len(pad) == len(encrypted) else None
    except ValueError:
        return None


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def _key(name: str) -> str:
    return f"shown_once:{name}"
