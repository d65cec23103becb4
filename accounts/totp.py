"""One-time passwords by the clock, as authenticator apps make them.

Source: RFC 6238 (TOTP) on RFC 4226 (HOTP): HMAC-SHA-1, steps of 30 s, 6 digits, which is what all apps can do.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from urllib.parse import quote, urlencode

from django.conf import settings

STEP_S = 30
DIGITS = 6
# Clocks of phones are a little off, and typing takes time: the step before and the one after are good as well.
TOLERATED_STEPS = (-1, 0, 1)
_SALT = b"renderowl.accounts.totp"
_ISSUER = "Renderowl"


def new_salt() -> str:
    """Return what a new secret is derived from."""
    return secrets.token_hex(20)


def secret_of(salt: str) -> bytes:
    """Return the secret that app and server share: of the salt AND the installation's key, never stored anywhere."""
    key = hmac.digest(settings.SECRET_KEY.encode(), _SALT, hashlib.sha256)
    return hmac.digest(key, salt.encode(), hashlib.sha1)


def secret_text(secret: bytes) -> str:
    """Return a secret as it is typed into an app."""
    return base64.b32encode(secret).decode().rstrip("=")


def enrolment_uri(secret: bytes, account: str) -> str:
    """Return what the QR code says."""
    query = urlencode({"secret": secret_text(secret), "issuer": _ISSUER, "digits": DIGITS, "period": STEP_S})
    return f"otpauth://totp/{_ISSUER}:{quote(account, safe='')}?{query}"


def code_at(secret: bytes, step: int) -> str:
    """Return the code of a time step. Source: RFC 4226, section 5.3."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), hashlib.sha1)
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return str(number % 10**DIGITS).zfill(DIGITS)


def matching_step(secret: bytes, code: str, now_s: float) -> int | None:
    """Return the step that a code belongs to, None where it fits none of those that are good now."""
    current = int(now_s) // STEP_S
    found = None
    for shift in TOLERATED_STEPS:
        # All are looked at, so that the time tells nothing.
        if hmac.compare_digest(code_at(secret, current + shift).encode(), code.encode()):
            found = current + shift
    return found
